// Hostile: ways to corrupt a segment, each derived from a seed, and reproducible.
#pragma once

#include <algorithm>
#include <string>

#include "base/rng.hpp"
#include "unit/support/rounds.hpp"
#include "unit/support/segment_maker.hpp"

namespace tide::test {

inline constexpr uint64_t kMutants = rounds(10'000);  // corrupted segments that a test tries

// A harmful number: near the limits of 64, 32 and 16 bits, or any number.
inline uint64_t hurtful_number(Rng& random) {
  constexpr uint64_t kEnds[] = {0, 1, 63, 64, 4096, 0x7FFF, 0xFFFF, 0x7FFF'FFFF, 0xFFFF'FFFF, 0x7FFF'FFFF'FFFF'FFFF};
  switch (random.below(4)) {
    case 0: return kEnds[random.below(std::size(kEnds))];
    case 1: return ~kEnds[random.below(std::size(kEnds))];
    case 2: return kEnds[random.below(std::size(kEnds))] + random.below(3) - 1;
    default: return random.next();
  }
}

// Corrupts the bytes of a made segment. Most mutants keep their header, so that the data after it is read too.
inline std::string spoilt_segment(uint64_t seed) {
  Rng random(seed);
  SegmentMaker made("mutant", 2);
  std::string bytes(made.bytes());
  const auto put = [&](uint64_t place, uint64_t value, size_t width) {
    if (place + width <= bytes.size()) std::memcpy(bytes.data() + place, &value, width);
  };
  const auto spoil_cells = [&](uint64_t begin, uint64_t end, uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) put(begin + random.below((end - begin) / 8) * 8, hurtful_number(random), 8);
  };
  constexpr uint64_t kRegions = offsetof(format::Header, vitals);
  switch (random.below(10)) {
    case 0:  // cut anywhere, most often where something ends
      bytes.resize(random.chance(0.5) ? random.below(bytes.size()) : random.below(bytes.size() / 64) * 64);
      break;
    case 1:  // any bytes
      for (uint64_t i = 1 + random.below(64); i > 0; --i)
        bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      break;
    case 2:  // the first words of the header
      spoil_cells(0, 64, 1 + random.below(3));
      break;
    case 3:  // a region: offset, count or stride
      put(kRegions + random.below(format::kRegions * 4) * 4, hurtful_number(random), random.chance(0.5) ? 4 : 8);
      break;
    case 4:  // regions that overlap, but within bounds
      put(kRegions + random.below(format::kRegions) * 16, 4096 + random.below((bytes.size() - 4096) / 64) * 64, 8);
      break;
    case 5:  // a few cells
      spoil_cells(4096, bytes.size(), 1 + random.below(16));
      break;
    case 6: {  // a whole region of harmful numbers
      const uint64_t begin = 4096 + random.below((bytes.size() - 4096) / 64) * 64;
      const uint64_t end = std::min<uint64_t>(bytes.size(), begin + 64 * (1 + random.below(64)));
      for (uint64_t place = begin; place + 8 <= end; place += 8) put(place, hurtful_number(random), 8);
      break;
    }
    case 7: {  // vitals, slots and waiters, from which figures are derived
      const format::Header& h = made.header();
      spoil_cells(h.vitals.offset, h.vitals.offset + sizeof(format::Vitals), 1 + random.below(4));
      spoil_cells(h.slots.offset, h.waiters.offset + 4 * sizeof(format::Waiter), random.below(32));
      break;
    }
    case 8: {  // alerts, rules, health and forecasts: texts, numbers of closed sets, doubles
      const format::Header& h = made.header();
      spoil_cells(h.alerts.offset, h.forecasts.offset + sizeof(format::ForecastsBlock), 1 + random.below(256));
      break;
    }
    default:  // everything after the header
      for (uint64_t place = 4096; place + 8 <= bytes.size(); place += 8) put(place, random.next(), 8);
      break;
  }
  return bytes;
}

}  // namespace tide::test
