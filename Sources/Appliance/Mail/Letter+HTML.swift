extension Letter {
    /// As HTML, with inline styles, a table for the programs that lay out nothing else, and nothing
    /// to load. Text and ground are the reader's own, light or dark; only the button brings its
    /// colours, which stand out on both.
    func html(service: String) -> String {
        let body = parts.map(Self.html).joined(separator: "\n")
        return """
            <!doctype html>
            <html lang="\(language.rawValue)">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="supported-color-schemes" content="light dark">
            <title>\(Self.escaped(subject))</title>
            <style>:root { color-scheme: light dark; supported-color-schemes: light dark; }</style>
            </head>
            <body style="margin:0;padding:0;\(Self.font)">
            <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">
            <tr><td align="center" style="padding:32px 16px">
            <table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" \
            style="max-width:560px;text-align:left">
            <tr><td style="padding:0 0 20px;font-size:15px;font-weight:600">\
            \(Self.escaped(service))</td></tr>
            <tr><td style="border:1px solid #8c8c8c;border-radius:8px;padding:28px">
            <h1 style="margin:0 0 16px;font-size:21px;line-height:1.3">\
            \(Self.escaped(subject))</h1>
            \(body)
            </td></tr>
            <tr><td style="padding:20px 0 0;font-size:13px;line-height:1.5;opacity:.75">\
            \(Self.escaped(footer))</td></tr>
            </table>
            </td></tr>
            </table>
            </body>
            </html>

            """
    }

    private static let font = """
        font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;\
        font-size:16px;line-height:1.5
        """

    private static func html(_ part: Part) -> String {
        switch part {
        case .paragraph(let words):
            return "<p style=\"margin:0 0 16px\">\(escaped(words))</p>"
        case .action(let label, let url):
            return """
                <p style="margin:24px 0 8px"><a href="\(escaped(url))" style="display:inline-block;\
                background:#1d4ed8;color:#ffffff;text-decoration:none;font-weight:600;\
                padding:12px 20px;border-radius:6px">\(escaped(label))</a></p>
                <p style="margin:0 0 16px;font-size:13px;opacity:.75;word-break:break-all">\
                \(escaped(url))</p>
                """
        case .facts(let facts):
            let rows = facts.map { fact in
                """
                <tr><td style="padding:4px 16px 4px 0;opacity:.75;white-space:nowrap;\
                vertical-align:top">\(escaped(fact.name))</td>\
                <td style="padding:4px 0;word-break:break-word">\(escaped(fact.value))</td></tr>
                """
            }
            return """
                <table role="presentation" cellpadding="0" cellspacing="0" border="0" \
                style="margin:0 0 16px;font-size:15px">
                \(rows.joined(separator: "\n"))
                </table>
                """
        }
    }

    /// Safe as text and inside a quoted attribute (security U2).
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
    }
}
