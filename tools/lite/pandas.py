"""The browser edition's stand-in for pandas, which has no wheel that could be bundled.

It makes the tables that the lessons show, and nothing else; anything else says so in a sentence.
`tests/pyodide/test_pyodide.py` holds every table of the lessons against the real one."""

from __future__ import annotations

from typing import Any

SAYS = (
    "pandas has no {!r} here: the browser edition has only a small stand-in for pandas, which shows"
    " tables. Install mmsim on a computer to use all of pandas."
)
NO_PLOT = "The browser edition can't plot, so here is the table. Install mmsim to see the plot."


class _Small:
    def __getattr__(self, name: str) -> Any:
        # What begins with _ is how Python and Jupyter ask what an object can do.
        raise AttributeError(name if name.startswith("_") else SAYS.format(name))


def __getattr__(name: str) -> Any:
    raise AttributeError(name if name.startswith("_") else SAYS.format(name))


class Index(_Small, list):
    """The words of one side of a table; in an index of several levels each is a tuple."""

    def __init__(self, words: Any, name: Any = None, dtype: Any = None, names: Any = None) -> None:
        super().__init__(words)
        self.names = list(names) if names else [name]
        self.nlevels = len(self.names)
        self.str = self

    def startswith(self, start: str) -> Mask:
        return Mask(word.startswith(start) for word in self)


class MultiIndex(Index):
    """An index whose words are tuples."""

    @classmethod
    def from_tuples(cls, words: Any, names: Any) -> MultiIndex:
        return cls(words, names=names)


class Mask(list):
    """A yes or no for each row."""

    def __invert__(self) -> Mask:
        return Mask(not each for each in self)


class DataFrame(_Small):
    """A table: rows of cells, the words of the index, and the heads of the columns."""

    def __init__(self, data: Any, index: Any = None, columns: Any = None, dtype: Any = None):
        if isinstance(data, dict):  # a column for each key
            heads, held = (
                list(data),
                [
                    c if isinstance(c, dict) else dict(zip(index or range(len(c)), c, strict=True))
                    for c in data.values()
                ],
            )
            index = index or list(dict.fromkeys(key for column in held for key in column))
            data, columns = [[column.get(key) for column in held] for key in index], heads
        self.rows = [list(row) for row in data]
        self.index = index if isinstance(index, Index) else Index(index or range(len(self.rows)))
        heads = columns or range(len(self.rows[0]))
        self.columns = heads if isinstance(heads, Index) else Index(heads)

    @classmethod
    def from_dict(cls, data: Any, orient: str, columns: Any) -> DataFrame:
        return cls(list(data.values()), list(data), columns)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def T(self) -> DataFrame:
        return DataFrame(list(zip(*self.rows, strict=True)), self.columns, self.index)

    @property
    def plot(self) -> _Plot:
        return _Plot(self)

    def rename_axis(self, name: str) -> DataFrame:
        return DataFrame(self.rows, Index(self.index, name), self.columns)

    def set_axis(self, words: Any, axis: int) -> DataFrame:
        return DataFrame(self.rows, *((self.index, words) if axis else (words, self.columns)))

    def fillna(self, words: Any) -> DataFrame:
        rows = [[words if cell is None else cell for cell in row] for row in self.rows]
        return DataFrame(rows, self.index, self.columns)

    def _only(self, places: Any) -> DataFrame:
        index = Index([self.index[at] for at in places], names=self.index.names)
        return DataFrame([self.rows[at] for at in places], index, self.columns)

    @property
    def iloc(self) -> _At:
        return _At(self, lambda at: range(len(self))[at] if isinstance(at, slice) else at)

    @property
    def loc(self) -> _At:
        return _At(self, lambda words: [self.index.index(word) for word in words])

    def __getitem__(self, what: Any) -> Any:
        if isinstance(what, Mask):
            return self._only([at for at, wanted in enumerate(what) if wanted])
        return Series(self.index, [row[self.columns.index(what)] for row in self.rows])

    def reset_index(self) -> DataFrame:
        keys = [key if self.index.nlevels > 1 else (key,) for key in self.index]
        heads = ["index" if name is None else name for name in self.index.names]
        rows = [[*key, *row] for key, row in zip(keys, self.rows, strict=True)]
        return DataFrame(rows, None, [*heads, *self.columns])

    def itertuples(self, index: bool = True, name: Any = None) -> Any:
        for key, row in zip(self.index, self.rows, strict=True):
            yield (key, *row) if index else tuple(row)

    def to_string(self) -> str:
        flat = self.reset_index()
        lines = [list(map(str, line)) for line in [flat.columns, *flat.rows]]
        wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, wide)).rstrip() for line in lines)

    __repr__ = to_string

    def _repr_html_(self) -> str:
        from mmsim.views.show import Table

        return Table(self)._repr_html_()


class _Plot(_Small):
    """What `.plot` and each of its kinds is: it says that there is no plot, and gives the table."""

    def __init__(self, table: DataFrame) -> None:
        self.table = table

    def __getattr__(self, kind: str) -> Any:
        return super().__getattr__(kind) if kind.startswith("_") else self

    def __call__(self, *_: Any, **__: Any) -> DataFrame:
        print(NO_PLOT)
        return self.table


class _At:
    def __init__(self, table: DataFrame, places: Any) -> None:
        self.table, self.places = table, places

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, int):
            return Series(self.table.columns, self.table.rows[at])
        return self.table._only(self.places(at))


class Series(_Small, list):
    """A row or a column, with the words of the other side."""

    def __init__(self, index: Any, cells: Any) -> None:
        super().__init__(cells)
        self.index = index

    def __eq__(self, value: object) -> Any:
        return Mask(cell == value for cell in self)

    def to_dict(self) -> dict[Any, Any]:
        return dict(zip(self.index, self, strict=True))

    def tolist(self) -> list[Any]:
        return [*self]
