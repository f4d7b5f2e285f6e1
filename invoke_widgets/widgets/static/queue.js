// The queue's table: what its columns show, its toolbar, an opened row, and the store between the kernel and the views.

/** What all views of one model share: the rows, the opened details, thumbnails, and the views' listeners. */
class Store {
  constructor(model) {
    this.model = model;
    this.page = newPage();
    this.rows = new Rows(this.page, model.get("first"));
    this.details = new Map(); // item -> { detail, failed, names, made, preview }
    this.pictures = new Map(); // item -> { names, made }
    this.asked = new Set(); // items whose pictures were asked for
    this.listeners = new Set();
    this.unlisten = listen(model, ["msg:custom"], (message, buffers) => this.take(message, buffers ?? []));
    act(model, this.page, "hello", { page: this.page });
  }

  notify(kind, data) {
    for (const listener of this.listeners) listener(kind, data);
  }

  take(message, buffers) {
    const { t, id } = message;
    if (t === "change" || t === "rows") {
      const touched = this.rows.take(message, buffers[0]);
      this.notify(touched.size ? "rows" : "facts", touched);
    } else if (t === "busy") {
      for (const one of message.ids) this.rows.busy[message.on ? "add" : "delete"](one);
      this.notify("facts");
    } else if (t === "detail" || (t === "preview" && this.details.has(id))) {
      this.details.set(id, t === "preview" ? { ...this.details.get(id), preview: message.url } : { preview: this.details.get(id)?.preview, ...message });
      this.notify("detail", id);
    } else if (t === "pictures") {
      this.pictures.set(id, message);
      this.notify("facts");
    } else if (t === "show") {
      this.notify("show", id);
    }
  }

  /** Ask for the pictures of completed ones of the drawn rows, if they have been in view for a moment. */
  wantPictures(drawn) {
    this.wanting ||= setTimeout(() => {
      this.wanting = 0;
      const ids = [...drawn.keys()].filter((row) => row.status === "completed" && !row.gone && !this.asked.has(row.id)).map((row) => row.id).slice(0, 24);
      for (const id of ids) this.asked.add(id);
      if (ids.length) act(this.model, this.page, "pictures", { item_ids: ids, page: this.page });
    }, 400);
  }

  end() {
    this.unlisten();
    clearTimeout(this.wanting);
  }
}

const Fields = ({ fields }) => fields.map(([name, value]) => html`<span class="iw-dim">${name} </span><span class="iwt-value">${value}</span>`);

/** What the table shows, and what its buttons do; `acts` has cancel(rows), retry(rows), opened(row, by). */
function queueKind(store, pictures, acts) {
  const { rows } = store;
  const about = (row, now, least = 0) => {
    const left = rows.left(row, now);
    return left === null || left < least ? "" : clock(left);
  };
  const activity = {
    in_progress(row, now) {
      const { part, message } = row.progress ?? {};
      const left = about(row, now);
      const words = [part > 0 ? percent(part) : "", left && `${left} left`, message]; // what may be long is cut first
      return html`<${Progress} share=${part} label=${`Progress of item ${row.id}`} /><span class="iwt-cut">${words.filter(Boolean).join(" · ")}</span>`;
    },
    pending(row, now) {
      const place = rows.position(row);
      if (place === null) return null;
      const start = about(row, now, 1);
      if (place === 1 && !rows.facts.halted) return start ? `starts in about ${start}` : "starts next";
      return [ordinal(place), rows.facts.halted || (start && `in about ${start}`)].filter(Boolean).join(" · ");
    },
    completed(row) {
      const { names, made } = store.pictures.get(row.id) ?? {};
      return made && html`${names.map((name) => html`<${Thumb} key=${name} pictures=${pictures} name=${name} />`)}<span class="iw-dim">${many(made, "picture")}</span>`;
    },
    failed(row, now) {
      const due = row.retry === null ? "" : row.retry - now < 1 ? "retrying now · " : `retry in ${clock(row.retry - now)} · `;
      return html`<span class="iwt-cut iw-wrong">${due + (row.error ?? "")}</span>`;
    },
    canceled(row, now) {
      const took = row.took(now);
      return html`<span class="iwt-cut iw-dim">${row.error ?? (took === null ? "before it started" : `stopped after ${duration(took)}`)}</span>`;
    },
  };
  const columns = {
    item: { title: "Item", width: "86px", down: true, cell: (row) => String(row.id) },
    status: {
      title: "Status", width: "122px", hint: (row) => row.status,
      cell(row) {
        const isNext = row.status === "pending" && rows.position(row) === 1 && !rows.facts.halted;
        const isDue = row.retry !== null && row.status === "failed";
        return html`<${Pill} look=${statusLook(row.gone ? "gone" : isDue ? "retrying" : isNext ? "next" : row.status)} />`;
      },
    },
    activity: {
      title: "Activity", width: "minmax(250px, 3fr)",
      cell: (row, now) => activity[row.status]?.(row, now) ?? row.error,
      hint: (row) => [row.error, row.progress?.node && `node ${row.progress.node}`, row.retry !== null && "its retry policy runs it again"].filter(Boolean).join("; "),
    },
    values: {
      title: "Values", width: "minmax(110px, 2fr)", hint: (row) => row.values ?? "",
      cell: (row) => row.fields && html`<${Fields} fields=${row.fields} />`,
    },
    took: {
      title: "Took", width: "72px", numeric: true, down: true,
      cell(row, now) {
        const took = row.took(now);
        return row.status === "in_progress" && took !== null ? clock(took) : duration(took);
      },
      hint: (row) => [row.started && `started ${exact(row.started)}`, row.completed && `ended ${exact(row.completed)}`].filter(Boolean).join(", "),
    },
    created: { title: "Created", width: "92px", down: true, cell: (row, now) => (row.created === null ? "–" : ago(now - row.created)), hint: (row) => exact(row.created) },
    batch: { title: "Batch", width: "96px", cell: (row) => row.batch && rowButton("batch", shortId(row.batch), `Show only batch ${row.batch}`, "iw-link") },
    destination: { title: "Destination", width: "110px", cell: (row) => row.destination, hint: (row) => row.destination ?? "" },
    device: { title: "Device", width: "84px", cell: (row) => row.device },
  };
  return {
    label: "Queue",
    columns,
    cards: ["item", "status", "took", "activity", "values"],
    drops: ["device", "destination", "batch", "created", "values", "took"],
    name: (row) => `item ${row.id}`,
    compare: comparison,
    passes: sieve,
    action(row) {
      if (!row.cancelable && !row.retriable) return null;
      const [act, sign, verb] = row.cancelable ? ["cancel", "✕", "Cancel"] : ["retry", "↻", "Retry"];
      const busy = rows.busy.has(row.id);
      return rowButton(act, sign, busy ? `Item ${row.id} is being worked on` : `${verb} item ${row.id}`, `iw-quiet iw-icon iwt-act iwt-${act}`, busy);
    },
    press: (button, row) => acts[button.dataset.act]([row]),
    remove: (some) => acts.cancel(some),
    detail: (row) => html`<${ItemDetail} row=${row} known=${store.details.get(row.id)} pictures=${pictures} />`,
    opened: acts.opened,
    drawn: (elements) => store.wantPictures(elements),
  };
}

// -- an opened row ----------------------------------------------------------------------------------------------------

function Section({ title, wide, children }) {
  return html`<section class=${`iwt-part ${wide ? "iwt-wide" : ""}`}><h4>${title}</h4>${children}</section>`;
}

function Pairs({ list, mono }) {
  return html`<dl class=${mono ? "iw-mono" : ""}>${list.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function ItemDetail({ row, known, pictures }) {
  if (known?.failed) return html`<p class="iw-wrong">${known.failed}</p>`;
  if (!known?.detail) return html`<p class="iw-dim">Reading the item …</p>`;
  const { detail } = known;
  const { error } = detail;
  const times = detail.times.map(([name, time]) => [name, exact(time)]);
  return html`
    ${error && html`<${Section} title="Error" wide>
      <p class="iwt-message"><${Pill} look=${errorLook(error.type)} title=${error.type} /> <b>${error.message || error.server_type}</b></p>
      ${error.suggestion && html`<p>${error.suggestion}</p>`}
      <p class="iw-dim">${[error.server_type, error.node && `node ${error.node}`].filter(Boolean).join(" · ")} ${error.traceback && html` · <${Copy} text=${error.traceback} label="Copy the traceback" />`}</p>
      ${error.traceback && html`<${Folded} title="Traceback" text=${error.traceback} />`}
    <//>`}
    ${row.status === "in_progress" && known.preview?.startsWith("data:image/") && html`<${Section} title="Preview"><img class="iwt-preview" src=${known.preview} alt=${`Preview of item ${detail.item_id}`} /><//>`}
    ${detail.fields.length > 0 && html`<${Section} title="Values"><${Pairs} list=${detail.fields} mono /><//>`}
    ${known.made > 0 && html`<${Section} title="Pictures"><div class="iwt-figures">${known.names.map((name) => html`<figure class="iwt-figure" key=${name}><${Thumb} pictures=${pictures} name=${name} alt=${name} />
      <figcaption class="iw-small iw-dim" title=${name}>${name}</figcaption></figure>`)}${andMore(known)}</div><//>`}
    <${Section} title="Item"><${Pairs} list=${[...times, ...detail.facts]} /><//>
    ${detail.outputs.length > 0 && html`<${Section} title="Outputs" wide><${Pairs} mono list=${detail.outputs.map(([node, kind, text]) => [kind ? `${node} · ${kind}` : node, text])} /><//>`}
    ${detail.graph && html`<${Section} title="Graph" wide><${Copy} text=${detail.graph} label="Copy as JSON" /><${Folded} title=${`Graph of ${many(detail.nodes, "node")}`} text=${detail.graph} /><//>`}`;
}

// -- the toolbar ------------------------------------------------------------------------------------------------------

const STATUS_OPTIONS = [["", "All"], ["unfinished", "Unfinished"], ...STATUSES.map((status) => [status, statusLook(status)[2]])];
const MOST_OPTIONS = 100;
const grouped = (map) => [["", "All"], ...[...map].slice(0, MOST_OPTIONS).map(([id, n]) => [id, `${shortId(id)} (${count(n)})`])];

/** The filter as a line of Python. */
function asCode(filters) {
  const text = (value) => JSON.stringify(value);
  const parts = [];
  if (filters.status === "unfinished") parts.push("status in ['pending', 'in_progress', 'waiting']");
  else if (filters.status) parts.push(`status == ${text(filters.status)}`);
  if (filters.batch) parts.push(`batch_id == ${text(filters.batch)}`);
  if (filters.destination) parts.push(`destination == ${text(filters.destination)}`);
  if (filters.items) parts.push(`item_id in [${filters.items.split(",").join(", ")}]`);
  const frame = "console.jobs.frame()";
  return parts.length ? `${frame}.query(${text(parts.join(" and ")).replaceAll('\\"', "'")})` : frame;
}

function QueueTools({ model, store, table, acts, ask, note }) {
  const [columns, density, totals] = useTraits(model, "columns", "density", "totals");
  const { filters, search, chip } = useFilters(model);
  const [run] = useAct();
  const chosen = table?.chosen(() => true) ?? [];
  const cancelable = chosen.filter((row) => row.cancelable);
  const retriable = chosen.filter((row) => row.retriable);
  const hidden = chosen.filter((row) => !table.members.has(row)).length;
  const total = Math.max(store.rows.ordered.length + store.rows.facts.unread, store.rows.expected);
  const shown = table?.list.length ?? 0;
  const allColumns = Object.entries(table?.kind.columns ?? {});
  const all = Object.keys(filters).every((name) => name === "batch"); // else a button would be about more than is shown
  const actions = queueActions(totals, run, filters.batch);
  const act = (one) => ask(one.sure ? Infinity : one.n, one);
  const more = html`
      ${actions.map((one) => html`<${Button} kind="quiet" danger=${one.red} disabled=${!one.n} onClick=${() => act(one)}>${one.label}<//>`)}
      <hr />
      <div class="iwq-columns">${allColumns.map(([name, { title }]) => html`<label key=${name}><input type="checkbox" checked=${columns.includes(name)} onChange=${(event) => {
        const names = allColumns.map(([other]) => other).filter((other) => (other === name ? event.target.checked : columns.includes(other)));
        if (names.length) put(model, "columns", names);
        else event.target.checked = true;
      }} />${title}</label>`)}</div>
      <${Button} kind="quiet" onClick=${() => put(model, "columns", model.get("usual_columns"))}>Reset columns<//>
      <label><input type="checkbox" checked=${density === "compact"} onChange=${(event) => put(model, "density", event.target.checked ? "compact" : "comfortable")} />Compact rows</label>
      <hr />
      <${Button} kind="quiet" onClick=${() => { copyText(asCode(filters)); note("Copied the filter as Python."); }}>Copy filter as code<//>`;
  const destinations = grouped(store.rows.found.destinations);
  return html`<div class=${`iw-tools iwq-tools ${chosen.length ? "iwq-choosing" : ""}`}>
    ${search("Search values, errors, ids")} ${chip("Status", "status", STATUS_OPTIONS)} ${chip("Batch", "batch", grouped(store.rows.found.batches))}
    ${(destinations.length > 2 || filters.destination) && chip("Destination", "destination", destinations)}
    ${filters.items && chip("Items", "items", [["", "All"], [filters.items, count(filters.items.split(",").length)]])}
    <span class="iw-grow"></span>
    ${chosen.length > 0
      ? html`<span class="iw-dim" role="status">${count(chosen.length)} selected${hidden ? `, ${count(hidden)} not shown` : ""}</span>
        <${Button} disabled=${!cancelable.length} title=${`Cancel ${many(cancelable.length, "selected job")}`} onClick=${() => acts.cancel(chosen)}>Cancel ${cancelable.length ? count(cancelable.length) : ""}<//>
        <${Button} disabled=${!retriable.length} title=${`Retry ${many(retriable.length, "selected job")}`} onClick=${() => acts.retry(chosen)}>Retry ${retriable.length ? count(retriable.length) : ""}<//>`
      : html`<span class="iw-dim" role="status">${shown === total ? many(total, "job") : `${count(shown)} of ${count(total)}`}</span>
        ${actions.filter((one) => one.near && one.n && all).map((one) => html`<${Button} class="iwq-near" key=${one.name} onClick=${() => act(one)}>${one.label}<//>`)}`}
    <${Menu} label="⋯" name="More actions" right>${more}<//>
  </div>`;
}

function Queue({ model, store }) {
  const { root, page } = useContext(Scope);
  const pictures = usePictures(model);
  const [question, askAny] = useAsk();
  const [note, setNote] = useState("");
  const [run] = useAct();
  const ask = (n, one) => askAny(n, { ...one, done: () => table.current?.focusRow() });
  const asking = (name, verb, possible) => (rows) => {
    const some = rows.filter(possible);
    const one = rows.length === 1 ? rows[0] : null;
    const why = one ? (one.theirs ? "This item is another user's." : `Item ${one.id} has finished.`) : "All selected items have finished, or are another user's.";
    setNote(some.length || !rows.length ? "" : why);
    const hidden = some.filter((row) => !table.current?.members.has(row)).length;
    const jobs = `${verb} ${many(some.length, "job")}`;
    const not = hidden ? `, ${hidden === some.length ? "" : `${count(hidden)} of them `}not shown` : "";
    const work = () => {
      const ids = some.map((row) => row.id).filter((id) => !store.rows.busy.has(id));
      for (const id of ids) store.rows.busy.add(id);
      store.notify("facts");
      if (ids.length) run(name, { item_ids: ids });
    };
    ask(hidden ? Infinity : some.length, { text: `${jobs}${not}?`, yes: jobs, no: "Keep them", danger: name === "cancel", work });
  };
  const acts = {
    cancel: asking("cancel", "Cancel", (row) => row.cancelable),
    retry: asking("retry", "Retry", (row) => row.retriable),
    batch: ([row]) => put(model, "filters", { batch: row.batch }),
    opened: (row, by) => run(by > 0 ? "open" : "close", { item_id: row.id, page }),
  };
  const [table, element] = useTable(model, queueKind(store, pictures, acts), store.rows, (it) => {
    const show = (id) => {
      const row = store.rows.byId.get(id);
      const hidden = row && !it.members.has(row);
      put(model, "selected", [id]);
      it.show(id);
      if (hidden) setNote(`Cleared the filters, which hid item ${id}.`);
      // Last of all: a button that is drawn no more, such as that of an empty table, may have had the focus.
      setTimeout(() => it.focusRow(), 100);
    };
    const listener = (what, data) => {
      if (what === "rows") it.update(data);
      else if (what === "facts") it.render();
      else if (what === "detail") it.fillDetail(store.rows.byId.get(data) ?? null);
      else show(data);
    };
    const close = () => { // what was asked about or said has changed
      askAny(0);
      setNote("");
    };
    store.listeners.add(listener);
    const ends = [listen(model, ["iw-show"], show), listen(model, ["change:selected", "change:filters"], close), () => store.listeners.delete(listener)];
    return () => ends.forEach((end) => end());
  });
  const { ordered, facts, expected } = store.rows;
  const none = facts.unread || expected ? html`<${Empty} text="Reading the queue …" />` : html`<${Empty} text="The queue is empty."><p class="iw-mono">console.submit(graph)</p>
    ${isInside(root) && html`<${Button} kind="solid" onClick=${() => askAround(root, "iw-tab", "submit")}>Submit a job<//>`}<//>`;
  return html`
    ${question ?? html`<${QueueTools} model=${model} store=${store} table=${table.current} acts=${acts} ask=${ask} note=${setNote} />`}
    <${TableBox} model=${model} table=${table.current} thing="job" total=${ordered.length && !(facts.unread || expected) ? 1 : 0} none=${none}>
      ${note && html`<div class="iw-small iwq-note" role="status">${note}</div>`}${element}
    <//>`;
}

export default () => {
  let store = null;
  return {
    initialize({ model }) {
      store = new Store(model);
      return () => store.end();
    },
    ...part(({ model }) => html`<${Queue} model=${model} store=${store} />`),
  };
};
