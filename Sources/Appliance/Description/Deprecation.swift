import Domain
import HTTPTypes

/// That a route is on its way out, as its answers and its description say it.
struct Deprecation: Sendable {
    /// From when on it is deprecated (RFC 9745).
    let since: Timestamp
    /// When it will answer no more (RFC 8594); nil: nobody has decided.
    var sunset: Timestamp?
    /// Where people read what to use instead.
    var link: String?

    /// For every answer of the route, its refusals among them.
    func add(to headers: inout HTTPFields) {
        headers[.deprecation] = "@\(since.seconds)"
        if let sunset { headers[.sunset] = "\(CalendarText.date(sunset)) GMT" }
        if let link {
            headers.append(HTTPField(name: .link, value: "<\(link)>; rel=\"deprecation\""))
        }
    }

    var described: [Reply.Header] {
        var headers = [
            Reply.Header(
                name: .deprecation, schema: .string(example: "@\(since.seconds)"),
                note: "Since when it is deprecated (RFC 9745).", isAlways: true)
        ]
        if let sunset {
            headers.append(
                Reply.Header(
                    name: .sunset, schema: .string(example: "\(CalendarText.date(sunset)) GMT"),
                    note: "When it will answer no more (RFC 8594).", isAlways: true))
        }
        return headers
    }
}

extension HTTPField.Name {
    static let deprecation = known("Deprecation")
    static let sunset = known("Sunset")
    static let link = known("Link")
}

extension [Route] {
    /// The API's routes among these under the name of another version, to stand beside them. What
    /// that version has in its own way takes the place of the old.
    func version(_ name: String, with own: [Route] = []) -> [Route] {
        let moved = filter { !$0.base.isEmpty }.map { $0.moved(to: name) }
        let replaced = own.map { "\($0.method) \($0.path)" }
        return moved.filter { !replaced.contains("\($0.method) \($0.path)") } + own
    }

    func deprecated(_ deprecation: Deprecation) -> [Route] {
        map { $0.deprecated(deprecation) }
    }
}
