import Crypto
import Domain
import HTTPTypes
import Synchronization

extension Appliance {
    /// The API's description, and the pages that show it, where the configuration has them.
    var descriptionRoutes: [Route] {
        let pages = [
            Route(.get, "/docs", .open, .page) { _ throws(Problem) in try DocsPages.swagger() },
            Route(.get, "/redoc", .open, .page) { _ throws(Problem) in try DocsPages.redoc() },
        ]
        return (configuration.showsDocs ? pages : []) + [
            Route(.get, "/openapi.json", .open, .showDescription) { call throws(Problem) in
                let (bytes, tag) = self.description.made { OpenAPI.document(of: self.routes) }
                let isKnown = EntityTags.match(tag, in: call.request.headers)
                let answer = isKnown ? Answer(.notModified) : .json(encoded: bytes)
                return answer.with(.eTag, tag).with(.cacheControl, "no-cache")
            }
        ]
    }
}

/// The description as it is sent: made once, when it is first asked for.
final class DescriptionFile: Sendable {
    private let file = Mutex<(bytes: [UInt8], tag: String)?>(nil)

    func made(_ document: () -> JSON) -> (bytes: [UInt8], tag: String) {
        file.withLock { file in
            if let file { return file }
            let bytes = Array(document().encoded.utf8)
            let made = (bytes, "\"\(Hex.text(of: SHA256.hash(data: bytes).prefix(16)))\"")
            file = made
            return made
        }
    }
}
