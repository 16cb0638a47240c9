// Numbers as people read them: four significant digits, a real minus sign, ∞ and NaN by name.

function format(x, digits = 4) {
  if (x === undefined) return "omitted";
  if (x === null || Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "+∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text = size >= 1e-4 && size < 1e6 ? plain(x, digits) : x.toExponential(digits - 1);
  return text.replace("e+", "e").replaceAll("-", "−");
}

function plain(x, digits) {
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(x))));
  const text = x.toFixed(Math.min(decimals, 10));
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

/** All the digits that the page holds. */
function exact(x) {
  return x === undefined ? "omitted" : String(x).replaceAll("-", "−").replace("Infinity", "∞");
}

/** 164864 → "164 864" with thin spaces. */
function thousands(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** 52428800 → "50 MiB" */
function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${n < 10 && unit > 0 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

/** 3.2e9 → "3.2 G" */
function amount(n) {
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit += 1;
  }
  return `${n < 10 && unit > 0 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`.trim();
}

/** A span that shows `x` shortly and holds all of its digits, for the reader and for the tests. */
function number(x, attributes = {}) {
  return h("span", { ...attributes, class: `number ${attributes.class ?? ""}`.trim(), "data-value": String(x), title: exact(x) }, format(x));
}
