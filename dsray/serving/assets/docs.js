// Each form asks the server what it shows, and writes the answer below.
for (const form of document.querySelectorAll("form")) form.onsubmit = async event => {
  event.preventDefault();
  const body = form.querySelector("textarea"), out = form.querySelector("pre"), started = performance.now();
  try {
    const reply = await fetch(form.getAttribute("action"), body
      ? {method: "POST", headers: {"content-type": "application/json"}, body: body.value} : {});
    const text = JSON.stringify(await reply.json(), null, 2);
    out.textContent = reply.status + " in " + Math.round(performance.now() - started) + " ms\n" + text;
  } catch (error) { out.textContent = String(error); }
};
