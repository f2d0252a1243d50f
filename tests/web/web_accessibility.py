"""What a page lacks for who reads it by ear, by keyboard, or with weak eyes: WCAG 2.2's points that a program can tell.

`FAULTS` is evaluated in a page and gives one line a fault. Contrast is computed from the styles as they apply, by
WCAG's relative luminance: 4.5 for text, 3 for large text (24 px, or 18.66 px and bold) and for the edge of a field.
"""

FAULTS = r"""() => {
  const faults = [];
  const say = (what, node) => faults.push(`${what}: ${node ? node.outerHTML.slice(0, 80) : ""}`);
  const all = (query) => [...document.querySelectorAll(query)];
  const seen = (node) => node.checkVisibility();

  // the document: language, title, landmarks, a way past the navigation
  if (!document.documentElement.lang) say("no language");
  if (!document.title) say("no title");
  if (all("main").length !== 1) say(`${all("main").length} main landmarks`);
  const nav = document.querySelector("nav");
  if (!nav || !nav.getAttribute("aria-label")) say("no named navigation");
  const skip = document.querySelector("body > a");
  if (!skip || !document.querySelector(skip.getAttribute("href"))) say("no link past the navigation");
  for (const node of document.body.children)
    if (!["HEADER", "MAIN", "FOOTER", "A"].includes(node.tagName)) say("outside of landmarks", node);

  // headings: one of the first level, none is left out on the way down
  if (all("h1").length !== 1) say(`${all("h1").length} headings of the first level`);
  let level = 0;
  for (const node of all("h1, h2, h3, h4, h5, h6")) {
    const next = +node.tagName[1];
    if (next > level + 1) say(`heading after level ${level}`, node);
    if (!node.textContent.trim()) say("empty heading", node);
    level = next;
  }

  // names: of what can be filled in, pressed, followed or seen
  const named = (node) => (node.getAttribute("aria-label") || node.textContent).trim();
  const says = (field) => [...field.labels].some((label) =>
    [...label.childNodes].some((part) => part !== field && part.textContent.trim()));
  for (const node of all("input:not([type=hidden]), select, textarea"))
    if (!says(node)) say("no label", node);
  for (const node of all("a, button, summary")) if (!named(node)) say("no name", node);
  for (const node of all("img")) if (!node.alt.trim()) say("no alternative text", node);
  for (const node of all("svg, [role=img]"))
    if (node.getAttribute("aria-hidden") !== "true" && !node.getAttribute("aria-label")) say("no name", node);
  for (const node of all("table")) if (!node.querySelector("th[scope]")) say("no heads with scope", node);
  for (const node of all("th:not([scope])")) say("no scope", node);
  const ids = all("[id]").map((node) => node.id);
  for (const id of ids.filter((each, place) => ids.indexOf(each) < place)) say(`id ${id} stands twice`);
  for (const node of all("[aria-labelledby]"))
    if (!document.getElementById(node.getAttribute("aria-labelledby"))) say("named by what is not there", node);
  for (const node of all("[tabindex]")) if (node.tabIndex > 0) say("an order of its own", node);

  // contrast
  const parsed = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = parsed(getComputedStyle(node).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !seen(node)) continue;
    const style = getComputedStyle(node);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
    const found = contrast(parsed(style.color).slice(0, 3), ground(node));
    if (found < wanted) say(`contrast ${found.toFixed(2)} of ${wanted}`, node);
  }
  for (const node of all("input:not([type=hidden]), select, button")) {
    const found = contrast(parsed(getComputedStyle(node).borderTopColor).slice(0, 3), ground(node.parentElement));
    if (found < 3) say(`contrast of its edge ${found.toFixed(2)} of 3`, node);
  }
  return faults;
}"""

WRONG = """<!doctype html><html><head></head><body><div>outside</div><h1>A</h1><h3>C</h3>
<main id="m"><p id="twice" style="color: #999; background: #fff">pale</p><p id="twice">dark</p><input name="q">
<label><select><option>none</option></select></label><img src="data:,"><button></button><svg></svg>
<table><tr><th>head</th></tr></table><a href="/" tabindex="3">on</a>
<section aria-labelledby="nothing">by nothing</section></main></body></html>"""
FOUND = (  # in WRONG
    "no language", "no title", "no named navigation", "no link past the navigation",
    "outside of landmarks: <div>", "heading after level 1: <h3>", "no label: <input", "no label: <select",
    "no name: <button>", "no alternative text: <img", "no name: <svg>", "no heads with scope: <table>",
    "no scope: <th>", "id twice stands twice", "named by what is not there: <section",
    "an order of its own: <a", "contrast 2.85 of 4.5: <p",
)  # fmt: skip
