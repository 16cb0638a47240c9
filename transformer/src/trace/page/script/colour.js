// From a number to a colour: blue below a fixed zero, orange above it, the paper's colour at zero. What is positive by
// nature (weights of attention) has a sequential scale. Never the only sign: each map has a table and a read-out.

const scales = {
  light: {
    zero: [250, 248, 243],
    negative: [[146, 190, 219], [33, 102, 172], [8, 38, 92]],
    positive: [[250, 190, 120], [217, 95, 2], [112, 38, 0]],
    sequential: [[250, 248, 243], [178, 216, 205], [46, 139, 120], [4, 66, 58]],
  },
  dark: {
    zero: [27, 31, 39],
    negative: [[32, 66, 110], [62, 135, 205], [178, 218, 255]],
    positive: [[112, 60, 18], [230, 128, 36], [255, 222, 178]],
    sequential: [[27, 31, 39], [20, 78, 74], [52, 168, 146], [205, 250, 230]],
  },
};

const NAN_COLOUR = [214, 31, 105];

const dark = () => {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

/** x as a share of the scale's end, from −1 to 1; arcsinh shows small numbers beside large ones. */
function contrasted(x, most, contrast) {
  if (most === 0) return 0;
  const share = Math.max(-1, Math.min(1, x / most));
  return contrast === "asinh" ? Math.asinh(share * 100) / Math.asinh(100) : share;
}

/** [r, g, b] of a number on a scale that ends at ±most. */
function colour(x, most, { contrast = "linear", sequential = false, theme = dark() ? "dark" : "light" } = {}) {
  if (x === undefined || Number.isNaN(x)) return NAN_COLOUR;
  const scale = scales[theme];
  const share = contrasted(x, Number.isFinite(x) ? most : 0, contrast) || (Number.isFinite(x) ? 0 : Math.sign(x));
  if (sequential) return between(scale.sequential, Math.max(share, 0));
  return between([scale.zero, ...(share < 0 ? scale.negative : scale.positive)], Math.abs(share));
}

function between(stops, share) {
  const place = share * (stops.length - 1);
  const i = Math.min(Math.floor(place), stops.length - 2);
  return stops[i].map((from, channel) => Math.round(from + (stops[i + 1][channel] - from) * (place - i)));
}

const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
