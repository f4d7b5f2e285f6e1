// Buttons for the queue as a whole.

function Controls({ model }) {
  const [totals] = useTraits(model, "totals");
  const [run, busy] = useAct();
  const [question, ask] = useAsk();
  return question ?? html`<div class="iw-tools">
    ${queueActions(totals, run).map((one) => html`<${Button} busy=${busy(one.name)} disabled=${totals.closed || !one.n} danger=${one.red} onClick=${() => ask(one.sure ? Infinity : one.n, one)}>${one.label}<//>`)}
    <span class="iw-grow"></span>
    <${Button} busy=${busy("pause")} disabled=${totals.closed || !totals.may_pause} onClick=${() => run(totals.paused ? "resume" : "pause")}>${totals.paused ? "▶\ufe0e Resume" : "❚❚ Pause"}<//>
  </div>`;
}
export default part(Controls);
