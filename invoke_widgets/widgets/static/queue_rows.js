// The rows as the page holds them, and pure functions that decode, sort, filter and format them. No DOM here.

const STATUSES = ["pending", "in_progress", "waiting", "completed", "failed", "canceled"];
const GLYPHS = { pending: "○", in_progress: "●", waiting: "◌", completed: "✓", failed: "✕", canceled: "⊘" };
const UNFINISHED = new Set(["pending", "in_progress", "waiting"]);
const RETRIABLE = new Set(["failed", "canceled"]);
const STATUS_ORDER = { in_progress: 0, waiting: 1, pending: 2, failed: 3, canceled: 4, completed: 5 };
// As in queue_rows.py.
const FIELDS = ["id", "status", "created", "started", "completed", "batch", "destination", "device", "fields", "error",
  "priority", "retry", "theirs"];
const SHARED = [5, 6, 7];
const GROUPED = new Set(["batch", "destination"]);

const statusOf = (value) => (typeof value === "number" ? STATUSES[value] ?? "?" : String(value ?? "?"));

class Row {
  constructor(values) {
    this.progress = null; // { part, message, node }
    this.ends = null; // when it is expected to end, by the page's own clock
    this.since = null; // when this page saw it start, by the page's own clock
    this.gone = false;
    this.take(values);
  }

  take(values) {
    for (let i = 0; i < FIELDS.length; i++) this[FIELDS[i]] = values[i] ?? null;
    this.status = statusOf(values[1]);
    this.words = null;
  }

  change(values) {
    for (let i = 1; i < values.length; i += 2) {
      const name = FIELDS[values[i]];
      if (!name) continue;
      if (name === "status") {
        const status = statusOf(values[i + 1]);
        if (status === "in_progress" && this.status !== status) this.since = Date.now() / 1000;
        this.status = status;
      } else {
        this[name] = values[i + 1];
      }
    }
    this.words = null;
  }

  get cancelable() { return UNFINISHED.has(this.status) && !this.gone && !this.theirs; }
  get retriable() { return RETRIABLE.has(this.status) && !this.gone && !this.theirs; }

  /** Seconds that it ran, or has been running so far. */
  took(now) {
    if (this.started === null) return null;
    if (this.completed !== null) return Math.max(0, this.completed - this.started);
    return this.status === "in_progress" ? Math.max(0, now - (this.since ?? this.started)) : null;
  }

  get text() {
    this.words ??= [this.id, this.status, this.batch, this.destination, this.device, this.fields, this.error]
      .filter((value) => value !== null).join("\n").toLowerCase();
    return this.words;
  }
}

/** Decode a packet: JSON of [texts, rows], in which repeated texts are given by number. */
function unpacked(buffer) {
  const [texts, rows] = JSON.parse(new TextDecoder().decode(buffer));
  for (const values of rows) {
    for (const i of SHARED) if (typeof values[i] === "number") values[i] = texts[values[i]];
  }
  return rows;
}

/** All rows of one model in order of their ids; each view of the model draws from them. */
class Rows {
  constructor() {
    this.byId = new Map();
    this.ordered = []; // by ascending id
    this.batches = new Map(); // batch -> { count: how many rows, newest: the highest id }
    this.destinations = new Map();
    this.groups = 0; // a version number of the two above
    this.facts = { mean: null, paused: false, unread: 0 };
    this.busy = new Set();
    this.expected = 0;
    this._positions = null;
    this._running = [];
  }

  /** Take whole rows. Returns those touched. */
  put(arrays, stream = null) {
    const touched = new Set();
    const added = [];
    for (const values of arrays) {
      let row = this.byId.get(values[0]);
      if (row) {
        this._count(row, -1);
        row.take(values);
        row.gone = false;
      } else {
        row = new Row(values);
        this.byId.set(row.id, row);
        added.push(row);
      }
      row.stream = stream ?? row.stream;
      this._count(row, 1);
      touched.add(row);
    }
    if (added.length) this.ordered = merged(this.ordered, added.sort((a, b) => a.id - b.id), (a, b) => a.id - b.id);
    this._positions = null;
    return touched;
  }

  change(arrays) {
    const touched = new Set();
    for (const values of arrays) {
      const row = this.byId.get(values[0]);
      if (!row) continue; // it has yet to arrive, newer than this
      const grouped = values.some((value, i) => i % 2 === 1 && GROUPED.has(FIELDS[value]));
      if (grouped) this._count(row, -1);
      row.change(values);
      if (grouped) this._count(row, 1);
      touched.add(row);
    }
    this._positions = null;
    return touched;
  }

  progress(arrays) {
    const touched = new Set();
    for (const [id, part, message, node, left] of arrays) {
      const row = this.byId.get(id);
      if (!row) continue;
      row.progress = part === undefined && message === undefined ? null : { part, message, node };
      row.ends = left === undefined ? null : Date.now() / 1000 + left;
      touched.add(row);
    }
    return touched;
  }

  drop(ids) {
    const touched = new Set();
    for (const id of ids) {
      const row = this.byId.get(id);
      if (!row) continue;
      row.gone = true;
      this.byId.delete(id);
      this._count(row, -1);
      touched.add(row);
    }
    if (touched.size) this.ordered = this.ordered.filter((row) => !row.gone);
    this._positions = null;
    return touched;
  }

  _count(row, by) {
    for (const [map, key] of [[this.batches, row.batch], [this.destinations, row.destination]]) {
      if (key === null) continue;
      const known = map.get(key) ?? { count: 0, newest: 0 };
      known.count += by;
      known.newest = Math.max(known.newest, row.id);
      if (known.count > 0) map.set(key, known);
      else map.delete(key);
    }
    this.groups += 1;
  }

  /** The rows in progress. */
  get running() {
    this._index();
    return this._running;
  }

  /** Find the running rows and the positions of the pending ones, at most once after each change. */
  _index() {
    if (this._positions) return;
    const pending = [];
    this._running = [];
    let equal = true;
    for (const row of this.ordered) {
      if (row.status === "pending") {
        pending.push(row);
        equal &&= !row.priority;
      } else if (row.status === "in_progress") {
        this._running.push(row);
      }
    }
    if (!equal) pending.sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0) || a.id - b.id);
    this._positions = new Map(pending.map((row, i) => [row, i + 1]));
  }

  /** A pending row's position in the queue, from 1. The server takes higher priorities first, then lower ids. */
  position(row) {
    this._index();
    return this._positions.get(row) ?? null;
  }

  /** Seconds until a running row ends or a pending one starts; null if not known. The kernel estimates the end. */
  left(row, now) {
    const { mean, paused } = this.facts;
    if (row.status === "in_progress") return row.ends > now ? row.ends - now : null;
    if (row.status !== "pending" || paused || mean === null) return null;
    const position = this.position(row);
    let running = 0;
    for (const other of this._running) running = Math.max(running, this.left(other, now) ?? 0);
    return running + (position - 1) * mean;
  }
}

/** Merge two sorted arrays. */
function merged(a, b, compare) {
  if (!b.length) return a;
  if (!a.length) return b;
  if (compare(a[a.length - 1], b[0]) <= 0) return a.concat(b);
  if (compare(b[b.length - 1], a[0]) <= 0) return b.concat(a);
  const out = new Array(a.length + b.length);
  let from = 0;
  let at = 0;
  for (const row of b) {
    // Binary search in the rest of `a`.
    let low = from;
    let high = a.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(a[middle], row) <= 0) low = middle + 1;
      else high = middle;
    }
    while (from < low) out[at++] = a[from++];
    out[at++] = row;
  }
  while (from < a.length) out[at++] = a[from++];
  return out;
}

const SORT_KEYS = {
  item: (row) => row.id,
  status: (row) => STATUS_ORDER[row.status] ?? 9,
  progress: (row, rows) => (row.progress?.part ?? null) ?? (row.status === "pending" ? -rows.position(row) : null),
  created: (row) => row.created,
  took: (row, rows, now) => row.took(now),
  batch: (row) => row.batch,
  destination: (row) => row.destination,
  device: (row) => row.device,
  fields: (row) => row.fields,
  error: (row) => row.error,
};

/** A comparison for `sort`, such as "-item": empty values last, equal ones by the newest first. */
function comparison(sort, rows) {
  const down = sort.startsWith("-");
  const key = SORT_KEYS[down ? sort.slice(1) : sort] ?? SORT_KEYS.item;
  const sign = down ? -1 : 1;
  const now = Date.now() / 1000;
  return (a, b) => {
    const x = key(a, rows, now);
    const y = key(b, rows, now);
    if (x !== y) {
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      if (x < y) return -sign;
      if (x > y) return sign;
    }
    return key === SORT_KEYS.item ? 0 : b.id - a.id;
  };
}

/** Whether the order by `sort` can change while rows do. */
const sortsByWhatChanges = (sort) => !["item", "created", "batch"].includes(sort.replace("-", ""));

/** A test for `filters`; null if everything passes. */
function sieve(filters) {
  const { status, batch, destination } = filters;
  const words = String(filters.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  if (!status && !batch && !destination && !words.length) return null;
  return (row) =>
    (!status || (status === "unfinished" ? UNFINISHED.has(row.status) : row.status === status)) &&
    (!batch || row.batch === batch) &&
    (!destination || row.destination === destination) &&
    words.every((word) => row.text.includes(word));
}

function ordinal(n) {
  const tens = n % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th";
  return `${n.toLocaleString("en-US")}${ending}`;
}

/** Seconds as "5.2 s", "0:31", "1:02:03". */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "—";
  if (seconds < 1) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return clock(seconds);
}

/** Whole seconds as "0:31", for values that tick. */
function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** How long ago, in a text that seldom changes. */
function ago(seconds) {
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds / 5) * 5} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

const exact = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toLocaleString());
const percent = (part) => `${Math.round(Math.min(1, Math.max(0, part)) * 100)} %`;
const shortId = (id) => (id && id.length > 9 ? `${id.slice(0, 8)}…` : id ?? "");
