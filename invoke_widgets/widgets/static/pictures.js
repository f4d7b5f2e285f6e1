// Pictures that the kernel sends, kept by name, and lists of them.

/** What the kernel sent of pictures, asked for once each and kept while the view is shown. */
class Pictures {
  constructor(model, page) {
    this.model = model;
    this.page = page;
    this.known = new Map(); // "thumbnail NAME", "picture NAME" -> url, "about NAME" -> details; null where there is none
    this.watching = new Map(); // by the same keys: what is called when it comes
    this.wanted = {}; // by kind: the names to ask for
  }

  /** Ask for it once, and call `changed` whenever it comes; returns a function that ends the latter. */
  watch(kind, name, changed) {
    const key = `${kind} ${name}`;
    if (!this.watching.has(key)) {
      this.watching.set(key, new Set());
      if (!Object.keys(this.wanted).length) setTimeout(() => this.ask());
      (this.wanted[kind] ??= []).push(name);
    }
    this.watching.get(key).add(changed);
    return () => this.watching.get(key).delete(changed);
  }

  /** One message for a row that comes into view: each costs as much as drawing some cells. */
  ask() {
    for (const [kind, names] of Object.entries(this.wanted)) act(this.model, this.page, kind, { names, page: this.page });
    this.wanted = {};
  }

  take({ t, name, failed, about }, buffers) {
    if (t !== "thumbnail" && t !== "picture" && t !== "about") return;
    const key = `${t} ${name}`;
    this.known.set(key, failed ? null : t === "about" ? about : URL.createObjectURL(new Blob([buffers[0]])));
    for (const changed of this.watching.get(key) ?? []) changed();
  }

  end() {
    for (const it of this.known.values()) if (typeof it === "string") URL.revokeObjectURL(it);
  }
}

/** The pictures of a view. */
function usePictures(model) {
  const { page } = useContext(Scope);
  const pictures = useMemo(() => new Pictures(model, page), []);
  useEffect(() => () => pictures.end(), []);
  useMessages(model, (message, buffers) => pictures.take(message, buffers));
  return pictures;
}

/**
 * The "thumbnail" or "picture" of a name as a url, or what is known "about" it: undefined until it comes, null where
 * there is none. Only what uses it is drawn again when it comes.
 */
function usePicture(pictures, kind, name) {
  const [, redraw] = useState(0);
  useLayoutEffect(() => (name ? pictures.watch(kind, name, () => redraw((n) => n + 1)) : undefined), [kind, name]);
  return pictures.known.get(`${kind} ${name}`);
}

function Thumb({ pictures, name, alt = "" }) {
  const url = usePicture(pictures, "thumbnail", name);
  return url ? html`<img src=${url} alt=${alt} decoding="async" />` : html`<span class="iw-dim iw-small" title=${alt}>${url === null ? "no picture" : "…"}</span>`;
}

/** What follows the pictures of a job where not all of them are shown. */
const andMore = ({ names, made }) => made > names.length && html`<span class="iw-dim iw-small">and ${count(made - names.length)} more</span>`;

/** A reference to an element, and whether it has been near the view, so that a long list asks for what is seen. */
function useNear() {
  const box = useRef(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) { setNear(true); watch.disconnect(); } }, { rootMargin: "300px" });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, near];
}

/** Where an arrow key leads from the focused one of the elements of a list that wraps; undefined for other keys. */
function nextOf(event, all) {
  const at = all.indexOf(event.target);
  if (at < 0) return undefined;
  const top = (one) => one.getBoundingClientRect().top;
  const isBeside = (one) => one && Math.abs(top(one) - top(all[at])) < 4;
  let [first, last] = [at, at]; // only as far as its row: to measure all of them would lay out what is out of view
  while (isBeside(all[first - 1])) first -= 1;
  while (isBeside(all[last + 1])) last += 1;
  const perRow = last - first + 1;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow, ArrowUp: at - perRow, Home: 0, End: all.length - 1 }[event.key];
  return all[Math.min(Math.max(to, 0), all.length - 1)];
}

/**
 * One tab stop for a list that wraps, of buttons with `data-id`: the `list`'s reference, the `current` id, `move(event)` by
 * an arrow key, and `back(id)`, which focuses a button as soon as it is drawn, by default the current one.
 */
function useTabStop(ids) {
  const list = useRef(null);
  const [last, set] = useState(null);
  const current = ids.includes(last) ? last : ids[0];
  const move = (event) => {
    const next = nextOf(event, [...list.current.querySelectorAll("[data-id]")]);
    if (!next) return;
    event.preventDefault();
    set(Number(next.dataset.id));
    next.focus();
  };
  const back = (id = current) => {
    set(id);
    requestAnimationFrame(() => list.current?.querySelector(`[data-id="${id}"]`)?.focus());
  };
  return { list, current, set, move, back };
}
