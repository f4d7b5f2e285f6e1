// In the outermost of our views: its keys are its own. JupyterLab would take those on buttons and lists for its cells: `d d`
// on a button deletes the cell that shows it. What has the focus must say so itself: JupyterLab asks from there outwards,
// and its keys are for whatever in a notebook has the focus.

const mark = (element) => element.setAttribute("data-lm-suppress-shortcuts", "true");

const outermost = (el) => {
  let found = null;
  for (let at = el; at; at = at.parentElement) if (at.classList.contains("iw")) found = at;
  return found;
};

export default {
  render({ el }) {
    let next = 0;
    let view = null;
    const focused = (event) => mark(event.target);
    const start = () => {
      if (!el.isConnected) { // the views around it are put together after it
        next = requestAnimationFrame(start);
        return;
      }
      view = outermost(el);
      view?.addEventListener("focusin", focused);
      if (view?.contains(document.activeElement)) mark(document.activeElement);
    };
    start();
    return () => {
      cancelAnimationFrame(next);
      view?.removeEventListener("focusin", focused);
    };
  },
};
