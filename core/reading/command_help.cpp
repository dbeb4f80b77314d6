// The relation "command_help": the commands and their arguments, from the catalogue.
#include "model/commands.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kCommandHelpColumns[] = {
    {"command", text, "", "The command: the name of its function, in SQLite after tidepool_.", open},
    {"argument", text, "", "Name of the argument; null in the row that describes the command.", open},
    {"type", text, "", "PostgreSQL type of the argument.", open},
    {"required", boolean, "", "True if the argument must be given."},
    {"meaning", text, "", "Description.", open},
};

void add_command_help(std::vector<Row>& out) {
  for (size_t i = 0; i < std::size(kCommands); ++i) {
    const Value command = cell::text(kVerbWords[i]);
    out.push_back({command, cell::none(), cell::none(), cell::none(), cell::text(kCommands[i].meaning)});
    for (const Argument& argument : kCommands[i].arguments) {
      out.push_back({command, cell::text(argument.name), cell::text(sql_type(argument)),
                     cell::truth(argument.is_required), cell::text(argument.meaning)});
    }
  }
}

}  // namespace

const Source& command_help_source() {
  static constexpr Source kSource{
      {"command_help", "The commands and their arguments.", kCommandHelpColumns}, nullptr, add_command_help};
  return kSource;
}

}  // namespace tide
