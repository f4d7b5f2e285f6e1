// What the forms share. What is typed goes to the kernel as it is typed; the click brings all of it again, since messages may
// arrive late.

/** What is typed into a form, a function that changes it and has it sent soon, and one that sends and returns it now. */
function useTyped(model) {
  const [form] = useTraits(model, "form");
  const [typed, setTyped] = useState(form);
  const sent = useRef(JSON.stringify(form));
  const wait = useRef(0);
  useEffect(() => {
    if (JSON.stringify(form) === sent.current) return; // what this page typed
    sent.current = JSON.stringify(form);
    setTyped(form);
  }, [form]);
  const send = (next) => {
    clearTimeout(wait.current);
    sent.current = JSON.stringify(next);
    put(model, "form", next);
    return next;
  };
  const change = (changes) => {
    const next = { ...typed, ...changes };
    setTyped(next);
    clearTimeout(wait.current);
    wait.current = setTimeout(() => send(next), 150);
  };
  return [typed, change, () => send(typed)];
}

/** What an element needs to take files that are dropped onto it, and whether some are over it; one within it comes first. */
function useDrop(take) {
  const [over, setOver] = useState(false);
  const mine = (event) => !event.defaultPrevented && [...(event.dataTransfer?.types ?? [])].includes("Files");
  const onDragOver = (event) => {
    setOver(mine(event));
    if (!mine(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  };
  const onDrop = (event) => {
    setOver(false);
    if (!mine(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  };
  const onDragLeave = (event) => { if (!event.currentTarget.contains(event.relatedTarget)) setOver(false); };
  return [{ onDragEnter: onDragOver, onDragOver, onDragLeave, onDrop }, over];
}

/** How often and where in the queue to run it, with `children` between, what that comes to, and the button. */
function SubmitBar({ model, form: [typed, change, sendNow], problems, plan, disabled, label = "Enqueue", children }) {
  const [run, busy] = useAct();
  return html`<div class="iw-tools iws-end">
    <label class="iw-option">Runs <input type="number" min="1" max=${model.get("most_runs")} value=${typed.runs} aria-invalid=${Boolean(problems.runs)}
      onInput=${(event) => change({ runs: event.target.value === "" ? "" : Number(event.target.value) })} /></label>
    ${children}
    <label class="iw-option">Place <select value=${typed.prepend ? "front" : "end"} onChange=${(event) => change({ prepend: event.target.value === "front" })}>
      <option value="end">end of the queue</option><option value="front">front: run next</option></select></label>
    <span class="iw-dim iw-grow iws-plan" role="status">${plan}</span>
    <${Button} kind="solid" busy=${busy("submit")} disabled=${disabled} onClick=${() => run("submit", { form: sendNow() })}>${label}<//>
  </div>`;
}
