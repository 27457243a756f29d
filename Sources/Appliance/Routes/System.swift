import Domain
import HTTPTypes

extension Appliance {
    var systemRoutes: [Route] {
        [
            Route(.get, "/healthz", .open, isThrottled: false) { _ throws(Problem) in
                .json { json in json.object { $0.member("status", "ok") } }
            },
            Route(.get, "/readyz", .open, isThrottled: false) { _ throws(Problem) in
                let reasons = await self.readiness.reasons()
                let status = reasons.isEmpty ? "ready" : "not_ready"
                return .json(reasons.isEmpty ? .ok : .serviceUnavailable) { json in
                    json.object { json in
                        json.member("status", status)
                        json.member("reasons", reasons)
                    }
                }
            },
            Route(.get, "/problems/{code}", .open) { call throws(Problem) in
                guard let code = Problem.Code(rawValue: call.parameter("code")) else {
                    throw .notFound("problem")
                }
                return Pages.problem(code)
            },
        ]
    }
}
