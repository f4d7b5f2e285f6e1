// A button that opens a file, and the form around it as a drop zone. Files over the limit are never sent: a message
// larger than the Jupyter server allows would close the kernel's connection.

const BY_THE_FORM = ".iw-submitter";

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "jupyter-widgets jupyter-button widget-button";
    button.textContent = "open file";
    button.title = "A graph or batch as JSON; it can also be dropped onto this form";
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".json,application/json";
    input.hidden = true;
    el.append(button, input);

    const refuse = (why, file) => model.send({ t: "refused", why, name: file?.name ?? "", size: file?.size ?? 0 });

    async function take(files) {
      const [file] = files;
      if (files.length !== 1) return refuse("many");
      if (file.size > model.get("limit")) return refuse("size", file);
      try {
        model.send({ t: "file", name: file.name }, undefined, [await file.arrayBuffer()]);
      } catch {
        refuse("unread", file); // such as a folder
      }
    }

    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      if (input.files.length) take([...input.files]);
      input.value = ""; // so that the same file can be chosen again
    });

    // On the document, since `el` is not in the form yet; in a shadow root only the event's path has the target.
    const formOf = (event) => {
      const form = el.closest(BY_THE_FORM);
      return form && holdsFiles(event) && event.composedPath().includes(form) ? form : null;
    };
    const mark = (form) => el.closest(BY_THE_FORM)?.classList.toggle("iw-dropping", form !== null);
    const over = (event) => {
      const form = formOf(event);
      mark(form);
      if (form === null) return;
      event.preventDefault();
      event.stopPropagation();
      event.dataTransfer.dropEffect = "copy";
    };
    const dropped = (event) => {
      const form = formOf(event);
      mark(null);
      if (form === null) return;
      event.preventDefault(); // the browser would show the file in place of the page
      event.stopPropagation();
      take([...event.dataTransfer.files]);
    };
    const left = (event) => event.relatedTarget === null && mark(null); // the window
    const listeners = { dragenter: over, dragover: over, drop: dropped, dragleave: left };
    for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener, true);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener, true);
    };
  },
};
