// Which rows the table shows, in which order and at which height: rows of one height, with one opened row's detail
// between. The row under the pointer stays where it is.

const ROW_H = 28;
/** Columns whose values change by themselves while a job runs. */
const RUNS_ON = new Set(["took", "progress"]);

/** The rows in order. Draws by `render()` and closes a detail by `toggle(null)`, which subclasses have. */
class TableOrder {
  /** Put all rows in order anew. */
  arrange() {
    const passes = sieve(this.model.get("filters"));
    const sort = this.model.get("sort");
    const rows = this.rows.ordered;
    let list = passes ? rows.filter(passes) : rows.slice();
    if (sort === "-item") list.reverse();
    else if (sort !== "item") list.sort(comparison(sort, this.rows));
    this.late.clear();
    this.list = list;
    this.members = new Set(list);
    this._keepCurrent();
    this.padTop = this.padBottom = 0;
    this.render();
  }

  /** Take rows that are new, changed or gone, and leave the row under the pointer where it is. */
  update(touched) {
    const sort = this.model.get("sort");
    const passes = sieve(this.model.get("filters"));
    const fixed = !passes && !sortsByWhatChanges(sort);
    const pointed = this.underPointer();
    const moving = [];
    if (RUNS_ON.has(sort.replace("-", ""))) touched = new Set([...touched, ...this.rows.running.filter((r) => this.members.has(r))]);
    for (const row of touched) {
      if (fixed && this.members.has(row) && !row.gone) continue;
      if (row === pointed && this.members.has(row)) this.late.add(row);
      else moving.push(row);
    }
    if (!moving.length) {
      this.render();
      return;
    }
    if (pointed && this.grid.scrollTop <= this.padTop) this.heldAtTop = true;
    const anchor = pointed ?? this._anchor();
    const before = anchor ? this.y(this.list.indexOf(anchor)) - this.grid.scrollTop : 0;
    const leaving = new Set(moving);
    const compare = comparison(sort, this.rows);
    const coming = moving.filter((row) => !row.gone && (!passes || passes(row))).sort(compare);
    const staying = moving.some((row) => this.members.has(row)) ? this.list.filter((row) => !leaving.has(row)) : this.list;
    for (const row of moving) this.members.delete(row);
    this.list = merged(staying, coming, compare);
    for (const row of coming) this.members.add(row);
    this._keepCurrent();
    if (anchor) this._hold(this.list.indexOf(anchor), before, pointed !== null);
    this.render();
  }

  /** The pointer is on another row than what was held: let that take its place, and hold the other row. */
  letGo() {
    const late = new Set(this.late);
    this.late.clear();
    if (late.size) this.update(late);
  }

  /** The pointer has left the table: let everything take its place, and show the newest where they were shown before. */
  settle() {
    if (this.padTop || this.padBottom) {
      this.grid.scrollTop = Math.max(0, this.grid.scrollTop - this.padTop);
      this.padTop = this.padBottom = 0;
      this.render();
    }
    this.letGo();
    if (this.heldAtTop && !this.open && !this.body.contains(focusNear(this.body))) this.grid.scrollTop = 0;
    this.heldAtTop = false;
  }

  _anchor() {
    if (this.body.contains(focusNear(this.body)) && this.elements.has(this.active)) return this.active;
    return this.grid.scrollTop > 0 ? this.list[this.indexAt(this.grid.scrollTop)] ?? null : null;
  }

  /** Scroll so that row `index` is `before` pixels below the top; past the ends only for the sake of the pointer. */
  _hold(index, before, firmly) {
    if (index < 0) return;
    const view = this.viewH;
    this.padTop = 0;
    let top = this.y(index) - before;
    if (firmly) {
      this.padTop = Math.max(0, -top);
      top += this.padTop;
    }
    this.padBottom = firmly ? Math.max(0, top + view - this._height()) : 0;
    if (Math.abs(top - this.grid.scrollTop) < 1) return;
    this.body.style.height = `${this._height() + this.padBottom}px`;
    this.grid.scrollTop = top;
  }

  _keepCurrent() {
    if (this.open?.gone && !this.late.has(this.open)) this.toggle(null);
    if (this.active && (this.active.gone || !this.members.has(this.active)) && !this.late.has(this.active)) {
      const old = this._activeIndex ?? 0;
      const focused = this.elements.get(this.active)?.contains(focusNear(this.body));
      this.active = this.list[Math.min(old, this.list.length - 1)] ?? null;
      this._refocus = focused;
    }
  }

  // -- geometry: rows of one height, with one opened row's detail between ------------------------------------------

  y(index) {
    return this.padTop + index * ROW_H + (this._openIndex >= 0 && index > this._openIndex ? this.detailH : 0);
  }

  indexAt(y) {
    let at = y - this.padTop;
    if (this._openIndex >= 0 && at >= (this._openIndex + 1) * ROW_H) {
      at = Math.max((this._openIndex + 1) * ROW_H - 1, at - this.detailH);
    }
    return Math.max(0, Math.min(this.list.length - 1, Math.floor(at / ROW_H)));
  }

  get _openIndex() {
    if (!this.open) return -1;
    if (this.list[this._openAt] !== this.open) this._openAt = this.list.indexOf(this.open);
    return this._openAt;
  }

  _height() {
    return this.padTop + this.list.length * ROW_H + (this._openIndex >= 0 ? this.detailH : 0);
  }

  underPointer() {
    if (!this.pointer) return null;
    const box = this.grid.getBoundingClientRect();
    const y = this.pointer.y - box.top - ROW_H;
    if (y < 0) return null;
    const at = y + this.grid.scrollTop;
    return at >= this.padTop && at < this._height() ? this.list[this.indexAt(at)] ?? null : null;
  }
}
