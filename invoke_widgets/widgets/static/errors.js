// The errors as a table of groups, on the same table as the queue.

const SINCE = [["", "All"], ["600", "Last 10 minutes"], ["3600", "Last hour"], ["86400", "Last day"]];

const KEYS = {
  count: (row) => row.count, class: (row) => row.class, message: (row) => row.message, node: (row) => row.node,
  trend: (row) => row.last, last: (row) => row.last,
};

function trendCell(cell, row) {
  const key = row.trend.join();
  if (cell._key === key) return;
  cell._key = key;
  const most = Math.max(...row.trend, 1);
  const bars = row.trend.map((n) => {
    const bar = make("i");
    bar.style.height = n ? `${Math.max(2, Math.round((n / most) * 16))}px` : "0";
    return bar;
  });
  const chart = make("span", "iwe-trend", null, { role: "img", "aria-label": `Errors over time: ${row.trend.join(", ")}` });
  chart.append(...bars);
  cell.replaceChildren(chart);
}

function errorKind(details, acts) {
  const columns = {
    count: { title: "Jobs", width: "74px", least: 74, down: true, paint(cell, row) {
      if (cell._n === row.count) return;
      cell._n = row.count;
      cell.replaceChildren(make("span", "iwt-chevron", "›", { "aria-hidden": "true" }), make("span", "", count(row.count)));
    } },
    class: { title: "Class", width: "186px", least: 186, paint: (cell, row) => { pillCell(cell, errorLook(row.class)); setTitle(cell, row.class); } },
    message: { title: "Message", width: "minmax(160px, 1fr)", least: 160, paint: (cell, row) => plainCell(cell, row.message, row.message) },
    node: { title: "Node", width: "130px", least: 130, paint: (cell, row) => plainCell(cell, row.node, row.node) },
    trend: { title: "Trend", width: "104px", least: 104, down: true, paint: trendCell },
    last: { title: "Last", width: "84px", least: 84, down: true, paint: (cell, row) => plainCell(cell, timeOfDay(row.last), `first ${new Date(row.first * 1000).toLocaleString()}`) },
  };
  return {
    label: "Errors",
    columns,
    last: "150px",
    cards: ["count", "class", "message"],
    drops: ["trend", "node", "last"],
    name: (row) => `error: ${row.message}`,
    compare(sort) {
      const down = sort.startsWith("-");
      const key = KEYS[down ? sort.slice(1) : sort] ?? KEYS.last;
      const sign = down ? -1 : 1;
      return (a, b) => {
        const [x, y] = [key(a), key(b)];
        return x < y ? -sign : x > y ? sign : b.last - a.last;
      };
    },
    passes(filters) {
      const words = String(filters.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      const since = filters.since ? Date.now() / 1000 - Number(filters.since) : 0;
      if (!words.length && !filters.class && !since) return null;
      return (row) => (!filters.class || row.class === filters.class) && row.last >= since &&
        words.every((word) => `${row.message}\n${row.node}\n${row.class}`.toLowerCase().includes(word));
    },
    moves: () => true,
    ticking: () => [],
    action(cell, row) {
      const kind = row.helps && row.retry.length ? "retry" : row.items.length && acts.shows ? "show" : "";
      const label = kind === "retry" ? `Retry ${count(row.retry.length)}` : kind === "show" ? "Show in queue" : "";
      if (cell._label === label) return;
      cell._label = label;
      if (!kind) { cell.replaceChildren(); return; }
      const button = make("button", "iw-outline", kind === "show" ? "Show" : label, { "aria-label": label });
      if (kind === "show") button.append(make("span", "iwe-where", " in queue"));
      button.type = "button";
      button.tabIndex = -1;
      button.dataset.act = kind;
      cell.replaceChildren(button);
    },
    press: (button, row) => acts[button.dataset.act](row),
    remove: () => {},
    detail: (row) => html`<${ErrorDetail} row=${row} known=${details.get(row.id)} acts=${acts} />`,
    opened: (row, by) => { if (by > 0) acts.read(row); },
  };
}

function ErrorDetail({ row, known, acts }) {
  if (!known) return html`<p class="iw-dim">Reading the error …</p>`;
  const retried = row.retried ? ` (${count(row.retried)} already retried)` : "";
  return html`<p class="iwt-message"><b>${known.message}</b></p>
    ${known.suggestion && html`<p>${known.suggestion} <span class="iw-dim">${row.helps ? "A retry may help." : "Retrying will fail the same way: change the values first."}</span></p>`}
    <div class="iwe-acts">
      ${acts.shows && row.items.length > 0 && html`<${Button} kind=${row.helps ? "outline" : "solid"} onClick=${() => acts.show(row)}>${`Show ${row.items.length === 1 ? "this" : `these ${count(row.items.length)}`} in the queue`}<//>`}
      ${row.retry.length > 0 && html`<${Button} kind=${row.helps ? "solid" : "quiet"} onClick=${() => acts.retry(row)}>${`Retry ${many(row.retry.length, "job")}${retried}`}<//>`}
      ${known.traceback && html`<${Copy} text=${known.traceback} label="Copy the traceback" />`}
    </div>
    <dl>${known.facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${known.traceback && html`<details><summary>Traceback</summary><pre tabindex="0" role="region" aria-label="Traceback">${known.traceback}</pre></details>`}`;
}

function Errors({ model }) {
  const { page, root } = useContext(Scope);
  const [groups, filters, total, height] = useTraits(model, "groups", "filters", "total", "height");
  const [question, ask] = useState(null);
  const [, redraw] = useState(0);
  const table = useRef(null);
  const rows = useMemo(() => new TraitRows(), []);
  const details = useMemo(() => new Map(), []);
  const run = (name, args) => act(model, page, name, args);
  const acts = useMemo(() => ({
    get shows() { return isInside(root); },
    read: (row) => run("detail", { id: row.id, page }),
    show: (row) => askAround(root, "iw-filter", { items: row.items.join(",") }),
    retry(row) {
      const work = () => run("retry", { item_ids: row.retry });
      if (row.retry.length > ASK_ABOVE) ask({ text: `Retry ${many(row.retry.length, "job")}?`, yes: `Retry ${many(row.retry.length, "job")}`, work });
      else work();
    },
  }), []);
  const kind = useMemo(() => errorKind(details, acts), []);
  useLayoutEffect(() => {
    const touched = rows.take(groups);
    const it = table.current;
    if (!it) return;
    it.update(touched);
    if (it.open && !it.open.gone && it.open.count !== it._drawnCount) { it._drawnCount = it.open.count; acts.read(it.open); }
    it.fillDetail();
    redraw((n) => n + 1);
  }, [groups]);
  useMessages(model, (message) => {
    if (message.t !== "detail") return;
    details.set(message.id, message.detail);
    table.current?.fillDetail(rows.byId.get(message.id));
  });
  const change = (changes) => put(model, "filters", cleaned({ ...filters, ...changes }));
  const classes = [["", "All"], ...[...new Set(groups.map((row) => row.class))].sort().map((name) => [name, errorLook(name)[2]])];
  const code = () => {
    const parts = filters.class ? [`error_type == '${filters.class}'`] : [];
    return parts.length ? `console.errors.frame().query("${parts.join(" and ")}")` : "console.errors.frame()";
  };
  const empty = table.current && table.current.list.length === 0;
  return html`
    ${question ? html`<${Ask} text=${question.text} yes=${question.yes} no="Keep" danger=${question.danger ?? false} onYes=${() => { question.work(); ask(null); }} onNo=${() => ask(null)} />`
      : html`<div class="iw-tools">
        <${Search} value=${filters.text ?? ""} label="Search errors" onChange=${(text) => change({ text })} />
        <${Chip} name="Class" value=${filters.class ?? ""} options=${classes} onChange=${(name) => change({ class: name })} />
        <${Chip} name="Time" value=${filters.since ?? ""} options=${SINCE} onChange=${(since) => change({ since })} />
        <span class="iw-grow"></span>
        <span class="iw-dim" role="status">${total ? `${many(total, "error")} in ${many(groups.length, "group")}` : ""}</span>
        <${Menu} label="⋯" name="More actions" right>${(close) => html`
          <${Button} kind="quiet" onClick=${() => { close(); copyText(code()); }}>Copy filter as code<//>
          <${Button} kind="quiet" danger disabled=${!total} onClick=${() => { close(); ask({ text: `Clear ${many(total, "error")} from this log? The queue stays as it is.`, yes: `Clear ${many(total, "error")}`, danger: true, work: () => run("clear", { total: model.get("total") }) }); }}>Clear this log …<//>`}<//>
      </div>`}
    <div class="iwq-box">
      <${TableElement} kind=${kind} state=${traitState(model)} rows=${rows} height=${height} made=${(it) => { table.current = it; it?.watchers.add(() => redraw((n) => n + 1)); }} />
      ${empty && html`<div class="iwq-empty">${groups.length ? html`<${Empty} text="No error matches the filters."><${Button} onClick=${() => put(model, "filters", {})}>Show all errors<//><//>` : html`<${Empty} text="Nothing has failed." />`}</div>`}
    </div>`;
}
export default part(Errors);
