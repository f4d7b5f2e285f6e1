// In the outermost of our views: its keys are its own. JupyterLab would take those on buttons and lists for its cells: `d d`
// on a button deletes the cell that shows it.

const SUPPRESS = "data-lm-suppress-shortcuts";

export default {
  render({ el }) {
    // When a part gets the focus, and so before its first key: by then the view is where it belongs, which it is not yet
    // while this is called.
    const mark = () => {
      let outermost = null;
      for (let at = el; at; at = at.parentElement) if (at.classList.contains("iw")) outermost = at;
      outermost?.setAttribute(SUPPRESS, "true");
    };
    document.addEventListener("focusin", mark, true);
    return () => document.removeEventListener("focusin", mark, true);
  },
};
