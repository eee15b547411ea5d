// What a person with a keyboard, a screen reader or weak eyes would stumble over. The value is a list of sentences.
(() => {
  const wrong = [];
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getClientRects().length > 0;
  const unseen = (e) => e.closest(".unseen, thead, .skip") && e.getBoundingClientRect().width <= 1 || e.closest(".skip");
  const parse = (c) => c.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (hi + 0.05) / (lo + 0.05);
  };
  const background = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
      if (c[3] !== 0) wrong.push("a half transparent background, whose contrast cannot be told: " + e.className);
    }
    return [255, 255, 255];
  };
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || !visible(e) || unseen(e) || e.closest("script, title, noscript")) continue;
    texts++;
    const style = getComputedStyle(e);
    const inSVG = e.namespaceURI.endsWith("svg");
    const ratio = inSVG
      ? contrast(parse(style.fill), parse(getComputedStyle(e.parentElement.querySelector(".span")).fill))
      : contrast(parse(style.color), background(e));
    if (ratio < 4.5) wrong.push(`contrast ${ratio.toFixed(2)} of "${n.data.trim().slice(0, 30)}"`);
  }
  if (texts < 50) wrong.push(`only ${texts} texts were looked at`);
  for (const e of document.querySelectorAll("svg, img")) {
    if (e.ariaHidden !== "true" && !e.getAttribute("aria-label") && !e.alt) wrong.push("a picture without words: " + e.outerHTML.slice(0, 60));
  }
  for (const e of document.querySelectorAll("a, button, summary")) {
    if (!(e.getAttribute("aria-label") || e.textContent).trim()) wrong.push("nothing to call it by: " + e.outerHTML.slice(0, 60));
    if (e.tabIndex < 0) wrong.push("the keyboard cannot reach: " + e.outerHTML.slice(0, 60));
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select")) {
    if (e.labels.length === 0) wrong.push("a field without a label: " + e.outerHTML.slice(0, 60));
  }
  for (const e of document.querySelectorAll("table")) {
    if (!e.caption || !e.querySelector("th[scope=col]") || !e.querySelector("tbody th[scope=row]")) wrong.push("a table without caption or headers: " + e.className);
  }
  for (const e of document.querySelectorAll("[aria-labelledby]")) {
    if (!document.getElementById(e.getAttribute("aria-labelledby"))) wrong.push("a label that is not there: " + e.id);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) wrong.push("twice the id " + id);
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(e.tagName[1]);
    if (next > level + 1) wrong.push("a heading that skips a level: " + e.textContent);
    level = next;
  }
  for (const [selector, count] of [["h1", 1], ["main", 1], ["header", 1], ["footer", 1], ["html[lang]", 1], ["meta[name=viewport]", 1], ["#verdict[aria-live=polite]", 1], ["#link[role=status]", 1]]) {
    if (document.querySelectorAll(selector).length !== count) wrong.push(`not ${count} ${selector}`);
  }
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const widest = [...document.querySelectorAll("body *")].filter((e) => !unseen(e) && e.getBoundingClientRect().right > root.clientWidth + 1).map((e) => e.tagName + "." + e.getAttribute("class"));
    wrong.push(`wider than its window, ${root.scrollWidth} of ${root.clientWidth}: ${widest.slice(0, 4)}`);
  }
  return wrong;
})()
