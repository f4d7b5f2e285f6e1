// The cancellations, on the same table as the queue, each with its three times as a bar.

const OUTCOMES = {
  canceled: ["ok", "✓", "Canceled"],
  already_finished: ["off", "–", "Already finished"],
  not_found: ["off", "?", "Not found"],
  refused: ["bad", "✕", "Refused"],
  unknown: ["wait", "?", "Not certain"],
};
const outcomeLook = (name) => OUTCOMES[name] ?? ["off", "·", name];
const TIMES = [["acknowledged", "answered", "wait"], ["effective", "status changed", "run"], ["stopped", "worker stopped", "ok"]];

/** The three times as marks on a logarithmic line from 1 ms to 100 s, as they differ by powers of ten. */
function timesCell(cell, row) {
  const known = TIMES.filter(([name]) => row[name] !== null);
  const key = known.map(([name]) => row[name]).join();
  if (cell._key === key) return;
  cell._key = key;
  const place = (seconds) => `${Math.min(Math.max((Math.log10(Math.max(seconds, 0.001)) + 3) / 5, 0), 1) * 100}%`;
  const line = make("span", "iwc-times", null, { role: "img", "aria-label": known.map(([name, word]) => `${word} after ${duration(row[name])}`).join(", ") });
  for (const [name, word, look] of known.reverse()) {
    const mark = make("i", `iw-${look}`);
    mark.style.width = place(row[name]);
    mark.title = `${word} after ${duration(row[name])}`;
    line.append(mark);
  }
  cell.replaceChildren(line);
}

const CANCELLATIONS = {
  label: "Cancellations",
  columns: {
    at: { title: "When", width: "96px", least: 96, down: true, paint(cell, row) {
      if (cell._at === row.at) return;
      cell._at = row.at;
      cell.replaceChildren(make("span", "iwt-chevron", "›", { "aria-hidden": "true" }), make("span", "", timeOfDay(row.at)));
    } },
    what: { title: "What", width: "130px", least: 130, paint: (cell, row) => plainCell(cell, row.what) },
    outcome: { title: "Outcome", width: "150px", least: 150, paint: (cell, row) => pillCell(cell, outcomeLook(row.outcome)) },
    times: { title: "Times, 1 ms to 100 s", width: "minmax(120px, 1fr)", least: 120, paint: timesCell },
    stopped: { title: "Stopped", width: "84px", least: 84, numeric: true, down: true, paint: (cell, row) => plainCell(cell, duration(row.stopped ?? row.effective ?? row.acknowledged), "until the worker had moved on") },
    message: { title: "In words", width: "minmax(160px, 2fr)", least: 160, paint: (cell, row) => plainCell(cell, row.message, row.message) },
  },
  last: "16px",
  cards: ["at", "outcome", "stopped", "message"],
  drops: ["message", "times", "stopped"],
  name: (row) => `cancellation of ${row.what}`,
  compare(sort) {
    const down = sort.startsWith("-");
    const name = down ? sort.slice(1) : sort;
    const key = name === "times" ? (row) => row.acknowledged : (row) => row[name];
    const sign = down ? -1 : 1;
    return (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === y) return b.at - a.at;
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return x < y ? -sign : sign;
    };
  },
  passes(filters) {
    const words = String(filters.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length && !filters.outcome && !filters.scope) return null;
    return (row) => (!filters.outcome || row.outcome === filters.outcome) && (!filters.scope || row.scope === filters.scope) &&
      words.every((word) => `${row.what}\n${row.message}`.toLowerCase().includes(word));
  },
  moves: () => true,
  ticking: () => [],
  action: () => {},
  press: () => {},
  remove: () => {},
  detail: (row) => html`<p><b>${row.message}</b></p><dl>${TIMES.map(([name, word]) => html`<dt>${word}</dt><dd>${row[name] === null ? "not known" : `after ${duration(row[name])}`}</dd>`)}
    ${row.items.length > 0 && html`<dt>items</dt><dd>${row.items.slice(0, 50).join(", ")}${row.items.length > 50 ? " …" : ""}</dd>`}</dl>`,
};

function Cancellations({ model }) {
  const [records, filters, height] = useTraits(model, "records", "filters", "height");
  const [, redraw] = useState(0);
  const table = useRef(null);
  const rows = useMemo(() => new TraitRows(), []);
  useLayoutEffect(() => {
    const touched = rows.take(records);
    table.current?.update(touched);
    table.current?.fillDetail();
    redraw((n) => n + 1);
  }, [records]);
  const change = (changes) => put(model, "filters", cleaned({ ...filters, ...changes }));
  const outcomes = [["", "All"], ...[...new Set(records.map((row) => row.outcome))].map((name) => [name, outcomeLook(name)[2]])];
  const empty = table.current && table.current.list.length === 0;
  return html`<div class="iw-tools">
      <${Search} value=${filters.text ?? ""} label="Search cancellations" onChange=${(text) => change({ text })} />
      <${Chip} name="Outcome" value=${filters.outcome ?? ""} options=${outcomes} onChange=${(outcome) => change({ outcome })} />
      <span class="iw-grow"></span><span class="iwc-key iw-small iw-dim">${TIMES.map(([, word, look]) => html`<span><i class=${`iw-${look}`}></i>${word}</span>`)}</span>
    </div>
    <div class="iwq-box">
      <${TableElement} kind=${CANCELLATIONS} state=${traitState(model)} rows=${rows} height=${height} made=${(it) => { table.current = it; it?.watchers.add(() => redraw((n) => n + 1)); }} />
      ${empty && html`<div class="iwq-empty"><${Empty} text=${records.length ? "No cancellation matches the filters." : "Nothing has been canceled."} /></div>`}
    </div>`;
}
export default part(Cancellations);
