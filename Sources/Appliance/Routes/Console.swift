import Domain
import HTTPTypes

/// What people look at: one page, whose script shows what its path says, and the files it needs.
extension Appliance {
    /// The paths of web/pages.js. A test opens each of that list's pages by its address.
    static let consolePaths = [
        "/", "/sign-in", "/register", "/forgot-password", "/reset-password", "/verify-email",
        "/setup", "/usage", "/keys", "/plans", "/sessions", "/account", "/admin",
        "/admin/{section}", "/admin/{section}/{id}",
    ]

    /// Not throttled: an answer costs less than the look at a throttle, and a page without its
    /// style sheet is of no use.
    var consoleRoutes: [Route] {
        Self.consolePaths.map { path in
            Route(.get, path, .open, .page, isThrottled: false) { call throws(Problem) in
                guard let page = Asset.named("index.html") else { throw Self.noConsole }
                return call.asset(page).with(.cacheControl, "no-cache").asPage
            }
        } + [
            Route(.get, "/assets/{file}", .open, .page, isThrottled: false) {
                call throws(Problem) in
                guard let asset = Asset.at(path: "/assets/" + call.parameter("file")) else {
                    throw .notFound("file")
                }
                return call.asset(asset)
                    .with(.cacheControl, "public, max-age=31536000, immutable")
            }
        ]
    }

    private static let noConsole = Problem(
        .notFound, "This program was built without the console; `make build` puts it in.")
}
