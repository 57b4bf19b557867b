// The report by keyboard: / filters, arrows go from signature to signature, Escape goes back. All is there to read
// without this script, too.
"use strict";
(() => {
  const filter = document.getElementById("filter");
  const list = document.getElementById("list");
  if (!filter || !list) return;
  const shown = document.getElementById("shown");
  const signatures = [...list.children];
  const texts = signatures.map((item) => (item.querySelector("summary") || item).textContent.toLowerCase());
  const handle = (item) => item.querySelector("summary") || item;

  function apply() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    signatures.forEach((item, i) => {
      item.hidden = !words.every((word) => texts[i].includes(word));
      if (!item.hidden) count++;
    });
    shown.textContent = `${count} of ${signatures.length}`;
  }

  // Goes `step` visible signatures on; from outside of the list, to the first or last one.
  function go(step) {
    const visible = signatures.filter((item) => !item.hidden);
    if (visible.length === 0) return;
    const at = visible.findIndex((item) => item.contains(document.activeElement));
    const from = at < 0 ? (step > 0 ? -1 : visible.length) : at;
    const next = visible[Math.min(Math.max(from + step, 0), visible.length - 1)];
    handle(next).focus();
    next.scrollIntoView({ block: "nearest" });
  }

  const keys = {
    "/": () => { filter.focus(); filter.select(); },
    ArrowDown: () => go(1),
    ArrowUp: () => go(-1),
    j: () => go(1),
    k: () => go(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = document.activeElement === filter;
    if (typing && event.key === "Escape") {
      filter.value = "";
      apply();
      filter.blur();
    } else if (typing && event.key === "Enter") {
      go(1);
    } else if (event.key === "Escape") {
      const open = document.activeElement.closest(".signature[open]");
      if (open) { open.open = false; handle(open).focus(); }
    } else if (keys[event.key] && (!typing || event.key.startsWith("Arrow"))) {
      keys[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
  filter.addEventListener("input", apply);

  // Paper shows all of it.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.signature:not([open])")];
    closed.forEach((item) => { item.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((item) => { item.open = false; }));
  apply();
})();
