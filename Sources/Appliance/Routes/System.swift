import Domain
import HTTPTypes

extension Appliance {
    var systemRoutes: [Route] {
        [
            Route(.get, "/healthz", .open, .showHealth, isThrottled: false) { _ throws(Problem) in
                .json { $0.write("ok", as: Shapes.health) }
            },
            Route(.get, "/readyz", .open, .showReadiness, isThrottled: false) { _ throws(Problem) in
                let reasons = await self.readiness.reasons()
                return .json(reasons.isEmpty ? .ok : .serviceUnavailable) {
                    $0.write(reasons, as: Shapes.readiness)
                }
            },
            Route(.get, "/problems/{code}", .open, .page) { call throws(Problem) in
                guard let code = Problem.Code(rawValue: call.parameter("code")) else {
                    throw .notFound("problem")
                }
                return Pages.problem(code)
            },
        ]
    }
}

extension Shapes {
    static let health = Shape<String>("Health", [.member("status", .words(["ok"])) { $0 }])

    /// The reasons why not.
    static let readiness = Shape<[String]>(
        "Readiness",
        [
            .member("status", .words(["ready", "not_ready"])) {
                $0.isEmpty ? "ready" : "not_ready"
            },
            .member("reasons", .array(.string()).showing([])) { $0 },
        ])
}
