// A step on paper: always dark on light, and so small that it fits on one page.

const PAGE = 718 * 1047; // A4 less its margins, in CSS pixels

function buildPrint() {
  let theme;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    render(state, { force: true });
    const area = [".top", "#card", "#source"].map((part) => document.querySelector(part)).reduce((sum, { scrollWidth, scrollHeight }) => sum + scrollWidth * scrollHeight, 0);
    document.documentElement.style.setProperty("--print-zoom", String(Math.min(0.6, Math.sqrt((0.68 * PAGE) / area))));
  });
  addEventListener("afterprint", () => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    render(state, { force: true });
  });
}
