// Sends the token of the link and the chosen password to the API, and tells how it went.
const form = document.getElementById("form");
const answer = document.getElementById("answer");
const token = location.hash.slice(1);

const words = {
  accepted: "C’est fait : vous pouvez vous connecter. — Done: you may sign in.",
  weak_password: "Ce mot de passe est trop simple. — This password is too simple.",
  invalid_token: form.dataset.ended,
  wrong_credentials: form.dataset.wrong,
  other: "Cela n’a pas fonctionné : réessayez dans un instant. — That did not work: try again in a moment.",
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  let code = "other";
  try {
    const response = await fetch(form.dataset.route, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password: document.getElementById("password").value }),
    });
    const body = await response.json();
    code = response.ok ? "accepted" : (body.errors?.[0]?.code ?? body.code);
  } catch {
    // No answer: the words for it are set already.
  }
  answer.textContent = words[code] || words.other;
  answer.className = code === "accepted" ? "good" : "bad";
  form.hidden = code === "accepted";
  button.disabled = false;
});
