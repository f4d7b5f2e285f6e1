// Keeps JupyterLab's shortcuts away from the outermost of our views: otherwise `d d` on a button would delete the cell
// that shows it. JupyterLab looks for the attribute from the focused element outwards, so that element gets it.

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
      if (!el.isConnected) { // the views around it are attached later
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
