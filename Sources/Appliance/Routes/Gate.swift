import Domain
import HTTPTypes
import NIOCore

extension Appliance {
    /// Proxies ask with the method of the request they hold.
    private static let gateMethods: [HTTPRequest.Method] = [
        .get, .post, .put, .patch, .delete, .options,
    ]

    var gateRoutes: [Route] {
        Self.gateMethods.map { method in
            Route(method, "/api/v1/gate", .open, isThrottled: false) { call throws(Problem) in
                await self.gate(call)
            }
        }
    }

    /// Never throws: every answer, a refusal too, sets every identity header, so that a proxy that
    /// copies them overwrites what the client sent (security F1).
    private func gate(_ call: Call) async -> Answer {
        var caller: Caller?
        do throws(Problem) {
            let query = try GateQuery(call)
            let known = try await authenticator.caller(
                Credential(call.request.headers), at: call.now
            ) {
                call.address
            }
            caller = known
            guard known.has(.gate) else {
                throw Problem(.insufficientScope, "This needs the scope gate.")
            }
            if let scope = query.scope, !known.has(scope) {
                throw Problem(.insufficientScope, "This needs the scope \(scope.rawValue).")
            }
            let states = try await gatekeeper.admit(
                known.userID, query.demand, key: known.keyRules, at: call.now)
            return Self.allowed(known.identity, states, at: call.now)
        } catch {
            return refused(error, caller, call)
        }
    }

    private static func allowed(
        _ identity: Identity, _ states: [LimitState], at now: Timestamp
    ) -> Answer {
        var json = JSONWriter(capacity: identity.encoded.count + 160 * states.count + 16)
        json.raw(identity.encoded)
        json.member("limits") { $0.limitStates(states) }
        json.raw("}".utf8)
        var headers = identity.fields
        RateLimitFields.add(states, at: now, to: &headers)
        return Answer(.ok, headers: headers, body: ByteBuffer(bytes: json.bytes))
    }

    private func refused(_ problem: Problem, _ caller: Caller?, _ call: Call) -> Answer {
        if let cause = problem.cause {
            logger.error(
                "gate failed",
                metadata: ["request_id": "\(call.context.requestID)", "cause": "\(cause)"])
        }
        let code = problem.code.status.code
        let isDisguised = call.query("on_deny") == "403" && (code == 402 || code == 429)
        var answer = problem.answer(
            requestID: call.context.requestID, status: isDisguised ? .forbidden : nil)
        IdentityFields.add(
            caller?.account, plan: caller?.snapshot.plan, key: caller?.key?.id,
            scopes: (caller?.identity.scopes ?? []).sorted().map(\.rawValue), to: &answer.headers)
        if isDisguised { answer.headers[.gatehouseStatus] = String(code) }
        return answer
    }
}

/// What `/gate` was asked.
private struct GateQuery {
    let demand: Demand
    let scope: Scope?

    init(_ call: Call) throws(Problem) {
        guard call.request.uri.query != nil else {
            demand = Demand(metric: Demand.requests)
            scope = nil
            return
        }
        let metric = call.query("metric") ?? Demand.requests
        guard Limit.Kind.isWord(metric[...]) else {
            throw .invalid("metric", "invalid", "A metric is a lower-case word.")
        }
        var cost: Int64 = 1
        if let text = call.query("cost") {
            guard let number = Int64(text), (0...Demand.costMax).contains(number),
                text.utf8.first != UInt8(ascii: "+")
            else { throw .invalid("cost", "out_of_range", "From 0 to \(Demand.costMax).") }
            cost = number
        }
        if let choice = call.query("on_deny"), choice != "403" {
            throw .invalid("on_deny", "invalid", "Expected: 403.")
        }
        scope = try call.queryChoice("scope", Scope.self)
        demand = Demand(metric: metric, cost: cost)
    }
}

extension Appliance {
    /// Counts one request of a metered call, then does its work. Work that fails for a reason of
    /// ours is given back; what the client caused stays counted.
    func metered(
        _ call: Call, resource: String? = nil,
        _ work: (Caller) async throws(Problem) -> Answer
    ) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let demand = Demand(metric: Demand.requests, resource: resource)
        let key = caller.keyRules
        let states = try await gatekeeper.admit(caller.userID, demand, key: key, at: call.now)
        do throws(Problem) {
            var answer = try await work(caller)
            RateLimitFields.add(states, at: call.now, to: &answer.headers)
            return answer
        } catch {
            let isOurs = error.code.status.code >= 500
            if isOurs {
                gatekeeper.giveBack(caller.userID, demand, key: key, takenAt: call.now)
            } else if let resource {
                gatekeeper.remove(resource, of: caller.userID)
            }
            var problem = error
            problem.limits = states
            problem.limitsAt = call.now
            throw problem
        }
    }
}
