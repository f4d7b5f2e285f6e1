// The cancellations, on the same table as the queue, each with its three times as a bar.

const OUTCOMES = {
  canceled: ["ok", "✓", "Canceled"],
  already_finished: ["off", "–", "Already finished"],
  not_found: ["off", "?", "Not found"],
  refused: ["bad", "✕", "Refused"],
  unknown: ["wait", "?", "Not certain"],
};
const outcomeLook = (name) => OUTCOMES[name] ?? ["off", "·", name];
const TIMES = [["acknowledged", "Answered", "wait"], ["effective", "Status changed", "run"], ["stopped", "Worker stopped", "ok"]];

/** The three times as dots on a logarithmic line from 1 ms to 100 s, as they differ by powers of ten. */
function times(row) {
  const known = TIMES.filter(([name]) => row[name] !== null).map(([name, word, look]) => [row[name], `${word} after ${duration(row[name])}`, look]);
  const place = (seconds) => Math.min(Math.max((Math.log10(Math.max(seconds, 0.001)) + 3) / 5, 0), 1) * 100;
  return html`<span class="iwc-times" role="img" aria-label=${known.map(([, words]) => words).join(", ")}>
    ${known.map(([seconds, words, look]) => html`<i class=${`iw-${look}`} title=${words} style=${`left: ${place(seconds)}%`}></i>`)}</span>`;
}

const CANCELLATIONS = {
  label: "Cancellations",
  columns: {
    at: { title: "When", width: "96px", down: true, cell: (row) => timeOfDay(row.at) },
    what: { title: "What", width: "130px", cell: (row) => row.what },
    outcome: { title: "Outcome", width: "150px", cell: (row) => html`<${Pill} look=${outcomeLook(row.outcome)} />` },
    times: { title: "Times, 1 ms to 100 s", width: "minmax(120px, 1fr)", cell: times },
    stopped: { title: "Stopped", width: "84px", numeric: true, down: true, cell: (row) => duration(row.stopped ?? row.effective ?? row.acknowledged), hint: () => "until the worker had moved on" },
    message: { title: "In words", width: "minmax(160px, 2fr)", cell: (row) => row.message, hint: (row) => row.message },
  },
  last: "16px",
  cards: ["at", "outcome", "stopped", "message"],
  drops: ["message", "times", "stopped"],
  name: (row) => `cancellation of ${row.what}`,
  compare(sort) {
    const name = sort.replace("-", "").replace("times", "acknowledged");
    return ordering(sort, (row) => row[name], (a, b) => b.at - a.at);
  },
  passes: (filters) => passing(filters, (row) => `${row.what}\n${row.message}`),
  detail: (row) => html`<p><b>${row.message}</b></p><dl>${TIMES.map(([name, word]) => html`<dt>${word}</dt><dd>${row[name] === null ? "Not known" : `After ${duration(row[name])}`}</dd>`)}
    ${row.items.length > 0 && html`<dt>Items</dt><dd>${row.items.slice(0, 50).join(", ")}${row.items.length > 50 ? " …" : ""}</dd>`}</dl>`,
};

function Cancellations({ model }) {
  const [records] = useTraits(model, "records");
  const { search, chip } = useFilters(model);
  const [table, element] = useTraitTable(model, CANCELLATIONS, records);
  const outcomes = [["", "All"], ...[...new Set(records.map((row) => row.outcome))].map((name) => [name, outcomeLook(name)[2]])];
  return html`<div class="iw-tools">
      ${search("Search cancellations")} ${chip("Outcome", "outcome", outcomes)}
      <span class="iw-grow"></span><span class="iwc-key iw-small iw-dim">${TIMES.map(([, word, look]) => html`<span><i class=${`iw-${look}`}></i>${word}</span>`)}</span>
    </div>
    <${TableBox} model=${model} table=${table} thing="cancellation" total=${records.length} none=${html`<${Empty} text="Nothing has been canceled." />`}>${element}<//>`;
}
export default part(Cancellations);
