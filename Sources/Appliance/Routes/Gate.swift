import Domain
import HTTPTypes
import NIOCore

extension Appliance {
    /// Proxies ask with the method of the request they hold.
    static let gateMethods: [HTTPRequest.Method] = [
        .get, .post, .put, .patch, .delete, .options,
    ]

    static let gatePath = "/api/v1/gate"

    /// The gate as a route: for whatever `GateHandler` passes on, which is a first request, a
    /// request with a body, and one behind others on its connection.
    var gateRoutes: [Route] {
        Self.gateMethods.map { method in
            Route(method, Self.gatePath, .open, .gate(method), isThrottled: false) {
                call throws(Problem) in
                await self.gate(call)
            }
        }
    }

    private func gate(_ call: Call) async -> Answer {
        let query = call.request.uri.query.map { $0[...] }
        let credential = Credential(call.request.headers)
        var review = Review()
        while true {
            var decision = gate(query, credential, at: call.now, &review) { call.address }
            if case .shared(let demand, let caller) = decision {
                decision = await gate(demand, of: caller, at: call.now, &review)
            }
            switch decision {
            case .allowed(let caller):
                let identity = Identity(caller)
                let body = [UInt8].written(capacity: 1024) {
                    identity.grant(review.states, into: &$0)
                }
                var headers = SecurityFields.json
                identity.add(to: &headers)
                RateLimitFields.add(review.states, at: call.now, to: &headers)
                return Answer(.ok, headers: headers, body: ByteBuffer(bytes: body))
            case .refused(let problem, let caller):
                return failure(problem, caller, query: query, call)
            case .shared(_, let caller):
                let cause = "a shared state has said nothing"
                return failure(.internal(cause: cause), caller, query: query, call)
            case .cold(let piece, let caller):
                do throws(Problem) {
                    try await warm(piece, at: call.now)
                } catch {
                    return failure(error, caller, query: query, call)
                }
            }
        }
    }

    private func failure(
        _ problem: Problem, _ caller: Caller?, query: Substring?, _ call: Call
    ) -> Answer {
        if let cause = problem.cause {
            logger.error(
                "gate failed",
                metadata: ["request_id": "\(call.context.requestID)", "cause": "\(cause)"])
        }
        return refusal(problem, caller, query: query, requestID: call.context.requestID)
    }
}

extension Appliance {
    /// What the work of a metered call does to the number of a resource.
    enum Effect {
        case adds(String)
        case removes(String)
    }

    /// Counts one request of a metered call, then does its work. Work that fails for a reason of
    /// ours is given back; what the client caused stays counted.
    func metered(
        _ call: Call, _ effect: Effect? = nil,
        _ work: (Caller) async throws(Problem) -> Answer
    ) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        var added: String?
        if case .adds(let resource) = effect { added = resource }
        let demand = Demand(metric: Demand.requests, resource: added)
        let key = caller.keyRules
        var review = Review()
        let acceptance: Acceptance
        do throws(Problem) {
            acceptance = try await gatekeeper.admit(
                caller.userID, demand, key: key, at: call.now, &review)
            traffic.allow()
            gateMeter.allow(plan: caller.snapshot.plan)
        } catch {
            traffic.refuse(error.code)
            gateMeter.refuse(error, plan: caller.snapshot.plan)
            throw error
        }
        do throws(Problem) {
            var answer = try await work(caller)
            await keep(effect, of: caller.userID, acceptance, at: call.now)
            RateLimitFields.add(review.states, at: call.now, to: &answer.headers)
            return answer
        } catch {
            let isOurs = error.code.status.code >= 500
            if isOurs {
                await gatekeeper.giveBack(
                    caller.userID, demand, key: key, review.bookings, after: acceptance)
            } else if let added {
                await remove(added, of: caller.userID, acceptance, at: call.now)
            }
            var problem = error
            problem.limits = review.states
            problem.limitsAt = call.now
            throw problem
        }
    }

    /// The store has what the work did.
    private func keep(
        _ effect: Effect?, of user: UserID, _ acceptance: Acceptance, at now: Timestamp
    ) async {
        switch effect {
        case nil: break
        case .adds(let resource):
            await gatekeeper.confirm(user, .adds, acceptance) { customer, _ in
                customer.add(resource)
            }
        case .removes(let resource): await remove(resource, of: user, acceptance, at: now)
        }
    }

    private func remove(
        _ resource: String, of user: UserID, _ acceptance: Acceptance, at now: Timestamp
    ) async {
        await gatekeeper.correct(user, .takesAway, at: now, after: acceptance) { customer, _ in
            customer.remove(resource)
        }
    }
}
