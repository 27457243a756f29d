import Domain
import HTTPTypes

/// The pages that show the API's description: Swagger UI, which can also try a call out, and Redoc.
/// Their files are embedded like the console's, so that they work without a network, and nothing
/// but this server's files and answers may be loaded. Icons and a font of signs are `data:` URLs.
enum DocsPages {
    static func swagger() throws(Problem) -> Answer {
        let (style, look) = (try path("swagger-ui.css"), try path("docs.css"))
        return try page(
            """
            <link rel="stylesheet" href="\(style)">
            <link rel="stylesheet" href="\(look)">
            <script defer src="\(try path("swagger-ui.js"))"></script>
            <script defer src="\(try path("docs.js"))"></script>
            """, place: "<div id=\"docs\"></div>", styles: "'self'")
    }

    /// Redoc makes its style sheets as it runs. For that their elements need a nonce, another one
    /// for each answer: what is inline without it is blocked here too.
    static func redoc() throws(Problem) -> Answer {
        var random = SystemRandomNumberGenerator()
        let nonce = Base62.random(22, using: &random)  // 128 bits (CSP 3, 7.1)
        return try page(
            """
            <meta property="csp-nonce" nonce="\(nonce)">
            <link rel="stylesheet" href="\(try path("docs.css"))">
            <script type="module" src="\(try path("reference.js"))"></script>
            """, place: "<div id=\"docs\" data-module=\"\(try path("redoc.js"))\"></div>",
            styles: "'self' 'nonce-\(nonce)'")
    }

    private static func page(
        _ head: String, place: String, styles: String
    ) throws(Problem) -> Answer {
        let icon = try path("icon.svg")
        return Answer.text(
            "text/html; charset=utf-8",
            """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Gatehouse API</title>
            <link rel="icon" href="\(icon)">
            \(head)
            </head>
            <body>
            \(place)
            <noscript>This page needs JavaScript; what it shows is /openapi.json.</noscript>
            </body>
            </html>
            """.utf8
        ).with(
            .contentSecurityPolicy,
            """
            default-src 'none'; script-src 'self'; style-src \(styles); connect-src 'self'; \
            img-src 'self' data:; font-src data:; form-action 'none'; base-uri 'none'; \
            frame-ancestors 'none'
            """)
    }

    private static func path(_ name: String) throws(Problem) -> String {
        guard let asset = Asset.named(name) else {
            throw Problem(
                .notFound, "This program was built without these pages; `make build` has them.")
        }
        return asset.path
    }
}
