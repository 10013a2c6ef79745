// Makes the cards of a page work without a kernel.  What they say and show stands beside each of
// them as JSON, which tools/alive.py made.  Nothing is asked of anybody else.
"use strict";
(() => {
  const PILLS = 8, SLIDER = 4, LONG = 24, NARROW = 500; // choices in a row; values of a knob; characters; px
  const cards = {}; // what is on the page, by name
  let groups = 0;

  function make(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  const block = (className, html = "") => make("div", { className, innerHTML: html });

  function button(words, press) {
    return make("button", { type: "button", textContent: words, onclick: press });
  }

  function escaped(text) {
    return make("p", { textContent: text }).innerHTML;
  }

  // -- controls: each has a node, and a value, which is the number of a choice or what was typed

  function pills(label, words, start, changed) {
    const name = `mmsim-${groups++}`;
    const row = make("fieldset", { className: "mmsim-row" }, make("legend", { innerHTML: label }));
    const many = words.some((word) => word.length > LONG);
    const choices = make("div", { className: many ? "mmsim-long" : "mmsim-pills" });
    const inputs = words.map((word, n) => {
      const input = make("input", { type: "radio", name, checked: n === start });
      input.addEventListener("change", () => changed(n));
      choices.append(make("label", {}, input, make("span", { textContent: word })));
      return input;
    });
    row.append(choices);
    return {
      node: row,
      get value() { const n = inputs.findIndex((input) => input.checked); return n < 0 ? null : n; },
    };
  }

  function list(label, words, start, changed) {
    const select = make("select");
    if (start === null) select.append(make("option", { value: "", textContent: "choose …" }));
    words.forEach((word, n) => select.append(make("option", { value: n, textContent: word })));
    if (start !== null) select.value = start;
    select.addEventListener("change", () => changed(Number(select.value)));
    return {
      node: make("label", { className: "mmsim-row" }, make("span", { innerHTML: label }), select),
      get value() { return select.value === "" ? null : Number(select.value); },
    };
  }

  function slider(label, words, start, changed) {
    const range = make("input", { type: "range", min: 0, max: words.length - 1, value: start });
    const shown = make("span", { className: "mmsim-value", ariaHidden: "true" });
    const tell = () => {
      range.setAttribute("aria-valuetext", words[range.value] ?? range.value);
      shown.textContent = words[range.value] ?? range.value;
    };
    range.setAttribute("aria-label", label);
    range.addEventListener("input", () => { tell(); changed(Number(range.value)); });
    tell();
    const node = make("div", { className: "mmsim-row" }, make("span", { textContent: label }), range, shown);
    return { node, range, tell };
  }

  function field(label, kind, numeric) {
    const input = make("input", { type: "text", inputMode: numeric ? "numeric" : "text" });
    const words = make("span", { innerHTML: label || "your answer" });
    return {
      node: make("label", { className: "mmsim-row" }, words, input),
      get value() {
        const text = input.value.trim();
        return (numeric && /^\d{1,3}([, ]\d{3})+$/.test(text) ? text.replace(/[, ]/g, "") : text) || null;
      },
    };
  }

  // -- a widget: a picture for each setting, or several that are walked through

  function player(data) {
    const setting = [...data.start];
    const view = block("mmsim-view"), said = block("mmsim-words");
    said.setAttribute("aria-live", "polite");
    const row = block("mmsim-controls"), board = make("div", { className: "mmsim-board" }, row, view, said);
    const way = () => data.ways[setting.join(".")];
    let step = data.last ? way().length - 1 : 0, walk = null;

    data.controls.forEach(([name, words], n) => {
      if (words.length < 2) return;
      const numbers = words.every((word, i) => Number(word) === Number(words[0]) + i);
      const kind = words.length <= SLIDER ? pills : numbers || data.last ? slider : list;
      const turned = (value) => {
        setting[n] = value;
        step = data.last ? way().length - 1 : Math.min(step, way().length - 1);
        show();
      };
      row.append(kind(name, words, data.start[n], turned).node);
    });

    function go(to) {
      step = Math.max(0, Math.min(to, way().length - 1));
      show();
    }

    if (Object.values(data.ways).some((stops) => stops.length > 1)) {
      walk = slider("step", [], step, go);
      walk.range.max = way().length - 1;
      const back = button("◀ Back", () => go(step - 1)), on = button("Forward ▶", () => go(step + 1));
      row.append(make("div", { className: "mmsim-walk" }, back, walk.node, on));
      board.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
        if (event.target.matches("input, select")) return; // they have keys of their own
        event.preventDefault();
        go(step + by);
      });
      view.tabIndex = 0; // a click on the picture is enough for the keys
      view.setAttribute("role", "group");
      view.setAttribute("aria-label", "picture of the step");
    }

    function show() {
      const [words, ...pictures] = way()[step];
      view.innerHTML = pictures
        .map((n) => data.pictures[n].map((piece) => data.pieces[piece]).join("")).join("");
      if (innerWidth < NARROW) { // a phone shows it smaller before it has to be moved about
        for (const svg of view.querySelectorAll("svg")) svg.style.minWidth = `${svg.viewBox.baseVal.width * 0.77}px`;
      }
      const title = view.querySelector("title");
      said.innerHTML = data.words[words] || (title ? title.textContent : "");
      said.classList.toggle("mmsim-unseen", !data.words[words]); // the picture says it in its headline
      view.style.minHeight = `${Math.max(parseFloat(view.style.minHeight) || 0, view.offsetHeight)}px`;
      if (!walk) return;
      walk.range.max = way().length - 1;
      walk.range.value = step;
      walk.tell();
    }

    addEventListener("resize", () => { view.style.minHeight = ""; });
    show();
    return board;
  }

  // -- a card

  function card(data, host) {
    const me = (cards[data.name] = { unlocked: false, settled: false, headline: data.headline, waiting: [] });
    const needs = data.needs.map((name) => cards[name]).filter(Boolean);
    const open = () => needs.every((need) => need.unlocked);
    const said = block("mmsim-said"), below = block("mmsim-shown");
    said.setAttribute("role", "status");
    said.tabIndex = -1;
    needs.forEach((need) => need.waiting.push(() => render()));

    function waits() {
      const names = needs.filter((need) => !need.unlocked).map((need) => `<i>${need.headline}</i>`);
      return `<p>Shown once you have answered, further up: ${names.join(" and ")}</p>`;
    }

    function unlock() {
      if (me.unlocked) return;
      me.unlocked = true;
      below.append(data.play ? player(data.play) : block("", data.shown), block("", data.reason));
      me.waiting.forEach((react) => react());
    }

    if (data.code) {
      host.classList.add("mmsim-code");
      host.append(
        block("", "<p>Your answer is judged in the notebook. Here you can look at one that is right.</p>"),
        button("Show an answer", () => {
          host.innerHTML = data.code;
          me.unlocked = true;
          me.waiting.forEach((react) => react());
        }),
      );
      return;
    }

    const question = block("mmsim-question"), hints = block("mmsim-hints");
    const controls = (data.parts || []).map(([label, kind, words]) => {
      if (kind !== "choice") return field(label, kind, kind === "number");
      const named = label || '<span class="mmsim-unseen">your answer</span>';
      return (words.length > PILLS ? list : pills)(named, words, null, () => {});
    });
    const form = make("form", {}, ...controls.map((control) => control.node));
    const change = button("Change my answer", () => { me.settled = false; render(); });
    const press = make("div", { className: "mmsim-buttons" }, make("button", { textContent: "Answer" }));
    let hinted = 0, wrong = null; // the first wrong answer
    if (data.hints.length) {
      press.append(button("Hint", () => {
        hints.innerHTML += data.hints[hinted] ?? "";
        hinted += 1;
      }));
    }
    hints.setAttribute("aria-live", "polite");
    form.append(press, hints);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      answer(controls.map((control) => control.value));
    });

    function number(value, n) { // of the candidate that stands for what was chosen or typed
      const [, kind, words] = data.parts[n];
      if (kind === "number") return Number(value) === Number(words[0]) ? 0 : 1;
      return kind === "text" ? 0 : value;
    }

    function answer(given) {
      if (!open()) return say(waits());
      if (given.includes(null)) return say("<p>Choose first: something is still open.</p>");
      const strange = given.find((value, n) => data.parts[n][1] === "number" && !/^\d+$/.test(value));
      if (strange !== undefined) return say(`<p>Write a whole number, not ${escaped(strange)}.</p>`);
      const key = given.map(number);
      const tries = data.replies[key.join(".")] ?? data.replies[upToFirstWrong(key).join(".")];
      const again = wrong !== null && wrong !== given.join("\n"); // the same one is no new try
      const [state, ...lines] = tries[again || me.unlocked ? tries.length - 1 : 0];
      if (state >= 0 && state < 2) wrong ??= given.join("\n");
      me.settled = state === 2;
      if (state > 0) unlock();
      render();
      const html = lines.map((line) => data.lines[line]).join("");
      say(html.replace(/9870(\d{3})/g, (sign, n) => escaped(String(given[Number(n)] ?? sign))));
    }

    function upToFirstWrong(key) {
      const first = key.findIndex((n, i) => n !== data.right[i]);
      return data.right.map((n, i) => (i === first ? key[i] : n));
    }

    function say(html) {
      said.innerHTML = html;
      said.focus();
    }

    function render() {
      const line = `<b>${data.headline}</b>`;
      question.innerHTML = me.settled && data.text
        ? `<details><summary>${line}</summary>${data.text}</details>` : `<p>${line}</p>${data.text}`;
      form.hidden = !data.parts || me.settled;
      change.hidden = !me.settled;
      if (data.parts) return;
      if (open()) unlock();
      said.innerHTML = open() ? "" : waits();
    }

    host.replaceChildren(question, form, said, below, change);
    host.classList.add("mmsim-card");
    render();
  }

  document.documentElement.classList.add("mmsim-alive");
  for (const script of document.querySelectorAll(".mmsim-live + script")) {
    card(JSON.parse(script.textContent), script.previousElementSibling);
  }
})();
