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

/** The three times as dots on a logarithmic line from 1 ms to 100 s, as they differ by powers of ten. */
function timesCell(cell, row) {
  const known = TIMES.filter(([name]) => row[name] !== null);
  const key = known.map(([name]) => row[name]).join();
  if (cell._key === key) return;
  cell._key = key;
  const after = ([name, word]) => `${word} after ${duration(row[name])}`;
  const line = make("span", "iwc-times", null, { role: "img", "aria-label": known.map(after).join(", ") });
  for (const time of known) {
    const mark = make("i", `iw-${time[2]}`, null, { title: after(time) });
    mark.style.left = `${Math.min(Math.max((Math.log10(Math.max(row[time[0]], 0.001)) + 3) / 5, 0), 1) * 100}%`;
    line.append(mark);
  }
  cell.replaceChildren(line);
}

const CANCELLATIONS = {
  label: "Cancellations",
  columns: {
    at: { title: "When", width: "96px", down: true, paint: (cell, row) => chevronCell(cell, timeOfDay(row.at)) },
    what: { title: "What", width: "130px", text: (row) => [row.what] },
    outcome: { title: "Outcome", width: "150px", paint: (cell, row) => pillCell(cell, outcomeLook(row.outcome)) },
    times: { title: "Times, 1 ms to 100 s", width: "minmax(120px, 1fr)", paint: timesCell },
    stopped: { title: "Stopped", width: "84px", numeric: true, down: true, text: (row) => [duration(row.stopped ?? row.effective ?? row.acknowledged), "until the worker had moved on"] },
    message: { title: "In words", width: "minmax(160px, 2fr)", text: (row) => [row.message, row.message] },
  },
  last: "16px",
  cards: ["at", "outcome", "stopped", "message"],
  drops: ["message", "times", "stopped"],
  name: (row) => `cancellation of ${row.what}`,
  compare(sort) {
    const name = sort.replace("-", "").replace("times", "acknowledged");
    return ordering(sort, (row) => row[name], (a, b) => b.at - a.at);
  },
  passes(filters) {
    const found = searching(filters.text);
    if (!found && !filters.outcome && !filters.scope) return null;
    return (row) => (!filters.outcome || row.outcome === filters.outcome) && (!filters.scope || row.scope === filters.scope) &&
      (!found || found(`${row.what}\n${row.message}`.toLowerCase()));
  },
  detail: (row) => html`<p><b>${row.message}</b></p><dl>${TIMES.map(([name, word]) => html`<dt>${word}</dt><dd>${row[name] === null ? "not known" : `after ${duration(row[name])}`}</dd>`)}
    ${row.items.length > 0 && html`<dt>items</dt><dd>${row.items.slice(0, 50).join(", ")}${row.items.length > 50 ? " …" : ""}</dd>`}</dl>`,
};

function Cancellations({ model }) {
  const [records, filters] = useTraits(model, "records", "filters");
  const [table, element] = useTable(model, CANCELLATIONS, records);
  const change = (changes) => put(model, "filters", cleaned({ ...filters, ...changes }));
  const outcomes = [["", "All"], ...[...new Set(records.map((row) => row.outcome))].map((name) => [name, outcomeLook(name)[2]])];
  return html`<div class="iw-tools">
      <${Search} value=${filters.text ?? ""} label="Search cancellations" onChange=${(text) => change({ text })} />
      <${Chip} name="Outcome" value=${filters.outcome ?? ""} options=${outcomes} onChange=${(outcome) => change({ outcome })} />
      <span class="iw-grow"></span><span class="iwc-key iw-small iw-dim">${TIMES.map(([, word, look]) => html`<span><i class=${`iw-${look}`}></i>${word}</span>`)}</span>
    </div>
    <${TableBox} model=${model} table=${table} thing="cancellation" total=${records.length} none=${html`<${Empty} text="Nothing has been canceled." />`}>${element}<//>`;
}
export default part(Cancellations);
