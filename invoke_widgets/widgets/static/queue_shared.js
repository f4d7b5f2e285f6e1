// Between the kernel and the views: takes messages, keeps rows and opened details, and notifies the views.

/** What all views of one model share: the rows, the opened details, and the views' listeners. */
class Shared {
  constructor(model) {
    this.model = model;
    this.rows = new Rows();
    this.details = new Map();
    this.opened = new Map(); // item -> how many views show its detail
    this.views = new Set();
    this.listeners = new Set();
    this.stream = null;
    this.token = Math.random().toString(36).slice(2);
    this.rows.put(model.get("first") ?? []);
    this.received = (message, buffers) => this.take(message, buffers ?? []);
    model.on("msg:custom", this.received);
    model.send({ t: "hello", to: this.token });
  }

  notify(kind, data) {
    for (const listener of this.listeners) listener(kind, data);
  }

  changed(touched) {
    if (touched.size) for (const update of this.views) update(touched);
  }

  take(message, buffers) {
    const { rows } = this;
    if (message.t === "change") {
      const touched = new Set();
      const add = (some) => { for (const row of some) touched.add(row); };
      if (buffers.length) add(rows.put(unpacked(buffers[0]), this.stream));
      if (message.c) add(rows.change(message.c));
      if (message.p) add(rows.progress(message.p));
      if (message.g) add(rows.drop(message.g));
      if (message.m) Object.assign(rows.facts, message.m);
      for (const row of touched) if (row.status !== "in_progress") row.progress = null;
      if (touched.size) this.changed(touched);
      else this.notify("busy", {}); // only facts
    } else if (message.t === "rows") {
      this.takePacket(message, buffers);
    } else if (message.t === "busy") {
      for (const id of message.ids) rows.busy[message.on ? "add" : "delete"](id);
      this.notify("busy", {});
    } else if (message.t === "detail") {
      const known = this.details.get(message.id);
      this.details.set(message.id, { urls: known?.urls ?? new Map(), preview: known?.preview, ...message });
      this.notify("detail", { id: message.id });
    } else if (message.t === "image" || message.t === "preview") {
      const known = this.details.get(message.id);
      if (!known) return;
      if (message.t === "preview") {
        known.preview = message.url;
        this.notify("image", { id: message.id, preview: message.url });
      } else {
        if (known.urls.get(message.name)) URL.revokeObjectURL(known.urls.get(message.name));
        known.urls.set(message.name, buffers.length ? URL.createObjectURL(new Blob([buffers[0]])) : null);
        this.notify("image", { id: message.id, image: message.name });
      }
    } else if (message.t === "say" || message.t === "show") {
      this.notify(message.t, message);
    }
  }

  /** Count the views that show an item's detail; the kernel is told when the last one closes it. */
  open(id, by) {
    const before = this.opened.get(id) ?? 0;
    if (before + by > 0) this.opened.set(id, before + by);
    else this.opened.delete(id);
    if (by > 0) this.model.send({ t: "open", ids: [id], to: this.token });
    else if (before + by === 0) this.model.send({ t: "close", ids: [id], to: this.token });
  }

  /** Take a packet of the whole queue. Rows in none of its packets are gone. */
  takePacket(message, buffers) {
    const { rows } = this;
    if (message.at === 0 && (message.to === this.token || (message.to === null && this.stream === null))) {
      this.stream = message.n;
    }
    if (message.n !== this.stream) return;
    rows.expected = message.end ? 0 : message.of;
    if (message.m) Object.assign(rows.facts, message.m);
    if (message.busy) rows.busy = new Set(message.busy);
    const touched = rows.put(unpacked(buffers[0]), this.stream);
    if (message.p) for (const row of rows.progress(message.p)) touched.add(row);
    if (message.end) {
      const old = rows.ordered.filter((row) => row.stream !== this.stream).map((row) => row.id);
      for (const row of rows.drop(old)) touched.add(row);
    }
    this.changed(touched);
    this.notify("busy", {});
  }

  end(model) {
    model.off("msg:custom", this.received);
    for (const { urls } of this.details.values()) for (const url of urls.values()) if (url) URL.revokeObjectURL(url);
  }
}
