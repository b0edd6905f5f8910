// Before the first picture, so that a theme that was chosen does not flash. Everything else is in the module.
(() => {
  try {
    const chosen = localStorage.getItem("odd.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // No storage: the system's preference holds.
  }
})();
