import Domain
import HTTPTypes

/// The page that a problem's `type` leads to.
enum Pages {
    static func problem(_ code: Problem.Code) -> Answer {
        let style = Asset.named("console.css").map { asset in
            "<link rel=\"stylesheet\" href=\"\(asset.path)\">"
        }
        return Answer.text(
            "text/html; charset=utf-8",
            """
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(code.rawValue)</title>
            \(style ?? "")
            <main class="prose-page">
            <h1>\(code.title)</h1>
            <p><code>\(code.rawValue)</code>, answered with status \(code.status.code).</p>
            <p>\(code.advice)</p>
            </main>
            </html>
            """.utf8
        ).asPage
    }
}
