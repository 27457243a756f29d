import Domain
import HTTPTypes

/// The few pages that links lead to before there is a console: setup, verification, a new password.
/// The token stays behind the `#`; the page's script sends it in a POST, so looking at a link uses
/// nothing up (security R3).
enum Pages {
    private static let policy = """
        default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
        form-action 'none'; base-uri 'none'; frame-ancestors 'none'
        """

    private static func page(_ html: String) -> Answer {
        Answer.text("text/html; charset=utf-8", html.utf8)
            .with(.contentSecurityPolicy, policy)
    }

    static let form = page(
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Gatehouse</title>
        <link rel="stylesheet" href="/form.css">
        <main>
        <h1 id="title">Gatehouse</h1>
        <form id="form" hidden>
        <label id="email-row">E-mail <input id="email" type="email" autocomplete="username"></label>
        <label id="password-row">Password
        <input id="password" type="password" autocomplete="new-password"></label>
        <button>Continue</button>
        </form>
        <p id="message" role="status"></p>
        <noscript><p>This page needs JavaScript to read the token in its link.</p></noscript>
        </main>
        <script src="/form.js"></script>
        </html>
        """)

    static let script = Answer.text(
        "text/javascript; charset=utf-8",
        """
        const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
        const kinds = {
          "/setup": { title: "Create the first admin", call: "/api/v1/setup", email: true,
            password: true, done: "The admin account is ready." },
          "/verify-email": { title: "Verify your e-mail address", call: "/api/v1/auth/verify-email",
            done: "Your address is verified." },
          "/reset-password": { title: "Set a new password", call: "/api/v1/auth/reset-password",
            password: true, done: "Your password is set. Sign in with it." },
        };
        const kind = kinds[location.pathname];
        const byId = (id) => document.getElementById(id);
        byId("title").textContent = kind.title;
        byId("email-row").hidden = !kind.email;
        byId("password-row").hidden = !kind.password;
        byId("form").hidden = false;
        byId("form").addEventListener("submit", async (event) => {
          event.preventDefault();
          const body = { token };
          if (kind.email) body.email = byId("email").value;
          if (kind.password) body.password = byId("password").value;
          const answer = await fetch(kind.call, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
          });
          if (answer.ok) {
            byId("form").hidden = true;
            byId("message").textContent = kind.done;
            history.replaceState(null, "", location.pathname);
          } else {
            const problem = await answer.json();
            byId("message").textContent =
              [problem.detail, ...problem.errors.map((error) => error.message)].join(" ");
          }
        });

        """.utf8)

    static let style = Answer.text(
        "text/css; charset=utf-8",
        """
        :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 22rem; margin: 15vh auto; padding: 0 1rem; }
        h1 { font-size: 1.4rem; }
        label { display: block; margin: 1rem 0; }
        [hidden] { display: none; }
        input { box-sizing: border-box; width: 100%; padding: .6rem; font: inherit; }
        button { width: 100%; padding: .6rem; font: inherit; cursor: pointer; }

        """.utf8)

    /// What a problem's `type` leads to.
    static func problem(_ code: Problem.Code) -> Answer {
        page(
            """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(code.rawValue)</title>
            <link rel="stylesheet" href="/form.css">
            <main>
            <h1>\(code.title)</h1>
            <p><code>\(code.rawValue)</code>, answered with status \(code.status.code).</p>
            <p>\(code.advice)</p>
            </main>
            </html>
            """)
    }
}
