// Signs in, shows how the erasure of the account stands, and takes it back. The token lives as long as the page.
const form = document.getElementById("form");
const answer = document.getElementById("answer");
const held = document.getElementById("held");
const cancel = document.getElementById("cancel");
const route = "api/v1/users/me/delete-request";

const words = {
  wrong_credentials: "Adresse ou mot de passe faux. — Wrong address or password.",
  not_found: "Aucune suppression n’est demandée. — No deletion has been asked for.",
  cancelled: "La suppression est annulée : votre compte reste. — The deletion is cancelled: your account stays.",
  erasure_begun: "Elle ne peut plus être annulée. — It can no longer be cancelled.",
  other: "Cela n’a pas fonctionné : réessayez dans un instant. — That did not work: try again in a moment.",
};
let token;

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (token && method === "POST") headers["Idempotency-Key"] = crypto.randomUUID();
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answered = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw new Error(answered.code);
  return answered;
}

function tell(text, good) {
  answer.textContent = text;
  answer.className = good ? "good" : "bad";
}

function refused(error) {
  tell(words[error.message] || words.other, false);
}

function show(erasure) {
  if (erasure.status !== "pending") return tell(words[erasure.status] || words.erasure_begun, true);
  const due = new Date(erasure.due_at);
  const on = (language) => due.toLocaleString(language, { dateStyle: "long", timeStyle: "short" });
  tell(`Suppression prévue après le ${on("fr")}. — Deletion due after ${on("en")}.`, true);
  held.replaceChildren(
    ...erasure.held.map((place) => {
      const item = document.createElement("li");
      const why = {
        last_admin: "personne d’autre n’en a la charge — nobody else is in charge",
        appointments_coming: "des patients ont rendez-vous avec vous — patients have appointments with you",
      };
      item.textContent = `${place.tenant_name} : ${why[place.by]}`;
      return item;
    }),
  );
  cancel.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const email = document.getElementById("email").value;
    const password = document.getElementById("password").value;
    token = (await ask("POST", "api/v1/auth/login", { email, password })).access_token;
    form.hidden = true;
    show(await ask("GET", route));
  } catch (error) {
    refused(error);
  }
});

cancel.addEventListener("click", async () => {
  cancel.disabled = true;
  try {
    await ask("POST", `${route}/cancel`, {});
    held.replaceChildren();
    cancel.hidden = true;
    tell(words.cancelled, true);
    await ask("POST", "api/v1/auth/logout", {});
  } catch (error) {
    if (cancel.hidden) return;
    refused(error);
    cancel.disabled = false;
  }
});
