// The rows as the page holds them, and pure functions that decode, sort, filter and format them. No DOM here.

const STATUSES = ["pending", "in_progress", "waiting", "completed", "failed", "canceled"];
const UNFINISHED = new Set(["pending", "in_progress", "waiting"]);
const RETRIABLE = new Set(["failed", "canceled"]);
const STATUS_ORDER = { in_progress: 0, waiting: 1, pending: 2, failed: 3, canceled: 4, completed: 5 };
// As in queue_table.py.
const FIELDS = ["id", "status", "created", "started", "completed", "batch", "destination", "device", "fields", "error",
  "priority", "retry", "theirs"];
const SHARED = [5, 6, 7];

const statusOf = (value) => (typeof value === "number" ? STATUSES[value] ?? "?" : String(value ?? "?"));

class Row {
  constructor(values) {
    this.progress = null; // { part, message, node }
    this.ends = null; // when it is expected to end, by the page's own clock
    this.since = null; // when this page saw its status change, by the page's own clock
    this.gone = false;
    this.take(values);
  }

  take(values) {
    for (let i = 0; i < FIELDS.length; i++) this.set(i, values[i] ?? null);
  }

  set(column, value) {
    this[FIELDS[column]] = FIELDS[column] === "status" ? statusOf(value) : value;
    this.words = null;
  }

  /** The values that its batch set, as text. */
  get values() {
    return this.fields === null ? null : this.fields.map(([name, value]) => `${name} ${value}`).join(", ");
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
    this.words ??= [this.id, this.status, this.batch, this.destination, this.device, this.values, this.error]
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
  /** `page` is how messages to this one are addressed. */
  constructor(page, first) {
    this.page = page;
    this.stream = null; // the number of the whole queue that is being received
    this.byId = new Map();
    this.ordered = []; // by ascending id
    this.touched = new Set(); // by the message that is being taken
    this.facts = { mean: null, paces: {}, halted: "", unread: 0 };
    this.busy = new Set();
    this.expected = 0; // how many rows the whole queue has, while it is being received
    this._found = null;
    this._put(first);
  }

  /** Take what has changed, or a packet of the whole queue: rows that are in none of its packets are gone. Returns what it touches. */
  take(message, buffer) {
    this.touched = new Set();
    if (message.t === "rows") {
      if (message.at === 0 && (message.to === this.page || (message.to === null && this.stream === null))) this.stream = message.n;
      if (message.n !== this.stream) return this.touched;
      this.expected = message.end ? 0 : message.of;
    }
    if (buffer) this._put(unpacked(buffer));
    for (const [id, ...values] of message.c ?? []) this._change(id, values);
    for (const values of message.p ?? []) this._progress(...values);
    this._drop(message.end ? this.ordered.filter((row) => row.stream !== this.stream).map((row) => row.id) : message.g ?? []);
    Object.assign(this.facts, message.m);
    if (message.busy) this.busy = new Set(message.busy);
    for (const row of this.touched) if (row.status !== "in_progress") row.progress = null;
    if (this.touched.size || message.m) this._found = null;
    return this.touched;
  }

  _put(arrays) {
    const added = [];
    for (const values of arrays) {
      let row = this.byId.get(values[0]);
      if (row) {
        row.take(values);
        row.gone = false;
      } else {
        row = new Row(values);
        this.byId.set(row.id, row);
        added.push(row);
      }
      row.stream = this.stream ?? row.stream;
      this.touched.add(row);
    }
    if (added.length) this.ordered = merged(this.ordered, added.sort((a, b) => a.id - b.id), (a, b) => a.id - b.id);
  }

  _change(id, values) {
    const row = this.byId.get(id);
    if (!row) return; // it has yet to arrive, newer than this
    const before = row.status;
    for (let i = 0; i < values.length; i += 2) row.set(values[i], values[i + 1]);
    if (row.status !== before) row.since = Date.now() / 1000; // not in `_put`: what is read may have started long ago
    this.touched.add(row);
  }

  _progress(id, part, message, node, left) {
    const row = this.byId.get(id);
    if (!row) return;
    row.progress = part === undefined && message === undefined ? null : { part, message, node };
    row.ends = left === undefined ? null : Date.now() / 1000 + left;
    this.touched.add(row);
  }

  _drop(ids) {
    for (const id of ids) {
      const row = this.byId.get(id);
      if (!row) continue;
      row.gone = true;
      this.byId.delete(id);
      this.touched.add(row);
    }
    if (ids.length) this.ordered = this.ordered.filter((row) => !row.gone);
  }

  /**
   * The rows in progress, and how many rows there are by batch and by destination, the newest first; found at most once
   * after each change, together with the pending rows' places.
   */
  get found() {
    if (this._found) return this._found;
    const [pending, running, batches, destinations] = [[], [], new Map(), new Map()];
    for (let i = this.ordered.length - 1; i >= 0; i--) {
      const row = this.ordered[i];
      if (row.status === "pending") pending.push(row);
      else if (row.status === "in_progress") running.push(row);
      if (row.batch !== null) batches.set(row.batch, (batches.get(row.batch) ?? 0) + 1);
      if (row.destination !== null) destinations.set(row.destination, (destinations.get(row.destination) ?? 0) + 1);
    }
    let wait = 0;
    for (const [i, row] of pending.sort(byPriority).entries()) {
      row.place = { position: i + 1, wait };
      wait += this.facts.paces[row.batch] ?? this.facts.mean ?? NaN;
    }
    return this._found = { running, batches, destinations };
  }

  /** A pending row's `position` in the queue, from 1, and the seconds that those before it will `wait`; NaN if not known. */
  place(row) {
    return this.found && row.status === "pending" && !row.gone ? row.place : null;
  }

  /** A pending row's position in the queue, from 1. */
  position(row) {
    return this.place(row)?.position ?? null;
  }

  /** Seconds until a running row ends or a pending one starts; null if not known. The kernel estimates the end. */
  left(row, now) {
    if (row.status === "in_progress") return row.ends > now ? row.ends - now : null;
    const wait = this.place(row)?.wait ?? NaN;
    if (this.facts.halted || Number.isNaN(wait)) return null;
    let running = 0;
    for (const other of this.found.running) running = Math.max(running, this.left(other, now) ?? 0);
    return running + wait;
  }
}

const SORT_KEYS = {
  item: (row) => row.id,
  status: (row) => STATUS_ORDER[row.status] ?? 9,
  took: (row, now) => row.took(now),
  ...Object.fromEntries(["created", "batch", "destination", "device", "values"].map((name) => [name, (row) => row[name]])),
};

/** Pending rows as the server takes them. */
const byPriority = (a, b) => (b.priority ?? 0) - (a.priority ?? 0) || a.id - b.id;

/** What runs, then what is next, in the order in which the server takes it, then what ended, the newest first. */
function byActivity(a, b) {
  const group = (row) => (row.status === "in_progress" || row.status === "waiting" ? 0 : row.status === "pending" ? 1 : 2);
  const [x, y] = [group(a), group(b)];
  if (x !== y) return x - y;
  if (x === 0) return a.id - b.id;
  if (x === 1) return byPriority(a, b);
  const end = (row) => row.completed ?? row.created ?? 0; // the server does not say when it canceled many at once
  return end(b) - end(a) || b.id - a.id;
}

/** A comparison for `sort`, such as "-item": empty values last, equal ones by the newest first. */
function comparison(sort) {
  const key = SORT_KEYS[sort.replace("-", "")];
  if (!key) return sort.startsWith("-") ? (a, b) => byActivity(b, a) : byActivity;
  const now = Date.now() / 1000;
  return ordering(sort, (row) => key(row, now), (a, b) => b.id - a.id);
}

const sieve = (filters) => passing(filters, (row) => row.text, {
  status: (status) => (row) => (status === "unfinished" ? UNFINISHED.has(row.status) : row.status === status),
  items(ids) {
    const items = new Set(ids.split(",").map(Number));
    return (row) => items.has(row.id);
  },
});

function ordinal(n) {
  const tens = n % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th";
  return `${n.toLocaleString("en-US")}${ending}`;
}

/** How long ago, in a text that seldom changes. */
function ago(seconds) {
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds / 5) * 5} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}
