// Buttons for the queue as a whole.

function Controls({ model }) {
  const [totals] = useTraits(model, "totals");
  const [run, busy] = useAct();
  const [question, ask] = useState(null);
  const off = totals.closed;
  const sure = (n, text, yes, name, args, always) => () => (n > ASK_ABOVE || always ? ask({ text, yes, name, args }) : run(name, args));
  const button = (name, label, n, sentence, danger) => html`<${Button} busy=${busy(name)} disabled=${off || !n} danger=${danger}
    onClick=${sure(n, sentence, `${label} ${count(n)}`, name, {})}>${label}${n ? ` (${count(n)})` : ""}<//>`;
  const clearing = question?.name === "clear";
  if (question) {
    const text = clearing ? `Clear deletes ${many(totals.total, "job")}${totals.own ? " of yours" : ""}, ${count(totals.unfinished)} of them unfinished; what runs is canceled.` : question.text;
    return html`<${Ask} text=${text} yes=${clearing ? `Clear ${many(totals.total, "job")}` : question.yes} no=${clearing ? "Keep" : "Keep them"}
      onYes=${() => { run(question.name, clearing ? { total: totals.total } : question.args); ask(null); }} onNo=${() => ask(null)} />`;
  }
  return html`<div class="iw-tools">
    ${button("cancel_pending", "Cancel waiting", totals.pending, `Cancel ${many(totals.pending, "waiting job")}? What runs goes on.`)}
    ${button("retry_failed", "Retry failed", totals.retryable, `Retry ${many(totals.retryable, "failed job")}?`)}
    ${button("prune", "Prune", totals.finished, `Delete ${many(totals.finished, "finished job")} from the queue? Pictures and errors stay.`)}
    <${Button} danger busy=${busy("clear")} disabled=${off || !totals.total} onClick=${() => ask({ name: "clear" })}>Clear …<//>
    <span class="iw-grow"></span>
    <${Button} busy=${busy("pause")} disabled=${off || !totals.may_pause} onClick=${() => run(totals.paused ? "resume" : "pause")}>${totals.paused ? "▶\ufe0e Resume" : "❚❚ Pause"}<//>
  </div>`;
}
export default part(Controls);
