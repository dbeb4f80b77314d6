"""Random queries, for running the same query on the relations and on a copy of their rows.

    maker = queries.Maker(random.Random(seed), queries.Sqlite, relations)
    maker.query()      -> a text in which @pools@ stands for the relation "pools", or for its copy

`relations` maps a name to {column: [values, as literals of the dialect]}. What is asked has one answer only: no LIMIT
without an order of all columns, no sums of floating point numbers. Shared by tests/sqlite and tests/pg.
"""


class Sqlite:
    LIKES = ("LIKE", "NOT LIKE", "GLOB")
    IS = ("IS", "IS NOT")
    ODD = ("NULL", "''", "0", "1", "-1", "7.5", "'7'", "x'617070'", "'APP'", "'nobody'", "1e300", "'/nonexistent'")
    COLLATIONS = ("", "", "", " COLLATE NOCASE", " COLLATE RTRIM")
    JOINS = ("JOIN", "JOIN", "LEFT JOIN", "CROSS JOIN")

    @staticmethod
    def text(expression):
        return expression

    @staticmethod
    def odd(rng, value):
        if value.startswith("'") and rng.random() < 0.6:
            return rng.choice((value.upper(), value[:-1] + "  '"))
        return rng.choice(Sqlite.ODD)


class Postgres:
    LIKES = ("LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE")
    IS = ("IS NOT DISTINCT FROM", "IS DISTINCT FROM")
    COLLATIONS = ("", "", ' COLLATE "C"')
    JOINS = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")

    @staticmethod
    def text(expression):
        return "CAST(%s AS text)" % expression

    @staticmethod
    def odd(rng, value):
        """A literal of the same type: another type would be an error, not a result."""
        kind = value.rpartition("::")[2]
        return rng.choice(["NULL::" + kind] + (["''::text", "'nobody'::text", "upper(%s)" % value] if kind == "text" else []))


class Maker:
    KEYS = ("instance_id", "pool", "dir", "name")

    def __init__(self, rng, dialect, relations):
        self.rng = rng
        self.dialect = dialect
        self.relations = relations
        self.aliases = 0

    def query(self):
        self.aliases = 0
        return self.rng.choice((self.plain, self.plain, self.plain, self.grouped, self.joined, self.joined, self.compound,
                                self.windowed, self.correlated, self.with_clause))()

    # ---- parts

    def relation(self):
        self.aliases += 1
        return self.rng.choice(sorted(self.relations)), "t%d" % self.aliases

    def column(self, relation):
        columns = self.relations[relation]
        keys = [key for key in self.KEYS if key in columns]
        return self.rng.choice(keys if keys and self.rng.random() < 0.4 else sorted(columns))

    def literal(self, relation, column):
        values = self.relations[relation][column]
        value = self.rng.choice(values)
        return self.dialect.odd(self.rng, value) if self.rng.random() < 0.25 else value

    def comparison(self, relation, alias):
        rng, column = self.rng, self.column(relation)
        left = "%s.%s" % (alias, quoted(column))
        value = lambda: self.literal(relation, column)
        is_text = value_is_text(self.relations[relation][column][0])
        collate = rng.choice(self.dialect.COLLATIONS) if is_text else ""
        kind = rng.randrange(10)
        if kind <= 3:
            return "%s %s %s%s" % (left, rng.choice(("=", "=", "=", "<>", "<", "<=", ">", ">=")), value(), collate)
        if kind == 4:
            return "%s %s %s" % (left, rng.choice(self.dialect.IS), value())
        if kind == 5:
            return "%s %s NULL" % (left, rng.choice(("IS", "IS NOT")))
        if kind == 6:
            return "%s %s (%s)" % (left, rng.choice(("IN", "NOT IN")), ", ".join(value() for _ in range(rng.randint(1, 4))))
        if kind == 7:
            return "%s BETWEEN %s AND %s" % (left, value(), value())
        if kind == 8:
            pattern = rng.choice(("'%a%'", "'app'", "'/dev/%'", "'*a*'", "'_o_s'", "''", "'APP'", "'[a-j]*'"))
            return "%s %s %s" % (self.dialect.text(left), rng.choice(self.dialect.LIKES), pattern)
        other, alias_2 = self.relation()
        if column not in self.relations[other]:
            other = relation
        inner = self.dialect.text("%s.%s" % (alias_2, quoted(column)))
        return "%s %s (SELECT %s FROM @%s@ AS %s WHERE %s)" % (self.dialect.text(left), rng.choice(("IN", "NOT IN")), inner,
                                                              other, alias_2, self.simple(other, alias_2))

    def simple(self, relation, alias):
        column = self.column(relation)
        return "%s.%s = %s" % (alias, quoted(column), self.rng.choice(self.relations[relation][column]))

    def condition(self, relation, alias, depth=2):
        kind = self.rng.randrange(6) if depth else 0
        if kind <= 1:
            return self.comparison(relation, alias)
        if kind == 2:
            return "NOT (%s)" % self.condition(relation, alias, depth - 1)
        word = " OR " if kind <= 4 else " AND "
        return "(%s)" % word.join(self.condition(relation, alias, depth - 1) for _ in range(self.rng.randint(2, 3)))

    def columns(self, relation, alias):
        names = [self.column(relation) for _ in range(self.rng.randint(1, 4))]
        return [self.dialect.text("%s.%s" % (alias, quoted(name))) for name in names]

    def ordered(self, query, count):
        """Sometimes only a part of the rows; they are ordered by all columns, so that the part is well defined."""
        if self.rng.random() < 0.5:
            return query
        order = ", ".join("%d%s" % (i + 1, self.rng.choice(("", " DESC"))) for i in range(count))
        offset = " OFFSET %d" % self.rng.randint(0, 5) if self.rng.random() < 0.5 else ""
        return "%s ORDER BY %s LIMIT %d%s" % (query, order, self.rng.randint(0, 20), offset)

    # ---- whole queries

    def plain(self):
        relation, alias = self.relation()
        columns = self.columns(relation, alias)
        distinct = self.rng.choice(("", "", "DISTINCT "))
        return self.ordered("SELECT %s%s FROM @%s@ AS %s WHERE %s" % (distinct, ", ".join(columns), relation, alias,
                                                                    self.condition(relation, alias)), len(columns))

    def grouped(self):
        relation, alias = self.relation()
        group = self.columns(relation, alias)[:2]
        measured = self.dialect.text("%s.%s" % (alias, quoted(self.column(relation))))
        figures = ["count(*)", "count(%s)" % measured, "count(DISTINCT %s)" % measured, "min(%s)" % measured,
                   "max(%s)" % measured]
        chosen = group + self.rng.sample(figures, 2)
        having = " HAVING count(*) > %d" % self.rng.randint(0, 3) if self.rng.random() < 0.3 else ""
        return self.ordered("SELECT %s FROM @%s@ AS %s WHERE %s GROUP BY %s%s" % (
            ", ".join(chosen), relation, alias, self.condition(relation, alias), ", ".join(group), having), len(chosen))

    def joined(self):
        (left, a), (right, b) = self.relation(), self.relation()
        if self.rng.random() < 0.3:
            right = left
        shared = [key for key in self.KEYS if key in self.relations[left] and key in self.relations[right]]
        if not shared:
            return self.plain()
        keys = self.rng.sample(shared, self.rng.randint(1, min(2, len(shared))))
        on = " AND ".join("%s.%s = %s.%s" % (a, quoted(key), b, quoted(key)) for key in keys)
        join = self.rng.choice(self.dialect.JOINS)
        columns = self.columns(left, a)[:2] + self.columns(right, b)[:2]
        where = "%s AND %s" % (self.simple(left, a), self.rng.choice((self.simple, self.condition))(right, b))
        return self.ordered("SELECT %s FROM @%s@ AS %s %s @%s@ AS %s ON %s WHERE %s" % (
            ", ".join(columns), left, a, join, right, b, on, where), len(columns))

    def compound(self):
        parts = []
        for _ in range(self.rng.randint(2, 3)):
            relation, alias = self.relation()
            column = self.dialect.text("%s.%s" % (alias, quoted(self.column(relation))))
            parts.append("SELECT %s AS c FROM @%s@ AS %s WHERE %s" % (column, relation, alias,
                                                                     self.condition(relation, alias, 1)))
        word = self.rng.choice((" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT "))
        return self.ordered(word.join(parts), 1)

    def windowed(self):
        relation, alias = self.relation()
        first, second = (("%s.%s" % (alias, quoted(self.column(relation)))) for _ in range(2))
        function = self.rng.choice(("rank()", "dense_rank()", "count(*)", "min(%s)" % self.dialect.text(second)))
        chosen = [self.dialect.text(first), self.dialect.text(second),
                  "%s OVER (PARTITION BY %s ORDER BY %s)" % (function, self.dialect.text(first), self.dialect.text(second))]
        return self.ordered("SELECT %s FROM @%s@ AS %s WHERE %s" % (", ".join(chosen), relation, alias,
                                                                   self.condition(relation, alias)), 3)

    def correlated(self):
        (outer, a), (inner, b) = self.relation(), self.relation()
        shared = [key for key in self.KEYS if key in self.relations[outer] and key in self.relations[inner]]
        if not shared:
            return self.plain()
        key = quoted(self.rng.choice(shared))
        inside = "FROM @%s@ AS %s WHERE %s.%s = %s.%s AND %s" % (inner, b, b, key, a, key, self.comparison(inner, b))
        columns = self.columns(outer, a)
        where = self.simple(outer, a)
        if self.rng.random() < 0.5:
            columns.append("(SELECT count(*) %s)" % inside)
        else:
            where += " AND %s (SELECT 1 %s)" % (self.rng.choice(("EXISTS", "NOT EXISTS")), inside)
        return self.ordered("SELECT %s FROM @%s@ AS %s WHERE %s" % (", ".join(columns), outer, a, where), len(columns))

    def with_clause(self):
        relation, alias = self.relation()
        columns = [self.column(relation) for _ in range(2)]
        names = ", ".join("%s AS c%d" % (self.dialect.text("%s.%s" % (alias, quoted(column))), i)
                          for i, column in enumerate(columns))
        body = "SELECT %s FROM @%s@ AS %s WHERE %s" % (names, relation, alias, self.condition(relation, alias))
        return self.ordered("WITH w AS (%s) SELECT c0, count(*) FROM w WHERE c1 IS NOT NULL GROUP BY c0" % body, 2)


def quoted(name):
    return '"%s"' % name


def value_is_text(literal):
    return literal.endswith("::text") if "::" in literal else literal.startswith("'")


def put(query, name_of):
    """The query with the actual name of each @relation@."""
    parts = query.split("@")
    return "".join(name_of(part) if i % 2 else part for i, part in enumerate(parts))
