import Domain
import HTTPTypes
import NIOCore

/// What the gate has to say, from memory alone. The route and the event loop's handler both ask
/// here, so they cannot differ.
enum GateDecision {
    case allowed(Caller)
    case refused(Problem, Caller?)
    /// A piece has to be loaded first.
    case cold(Piece, Caller?)
    /// The customer's state is shared with other nodes: it says.
    case shared(Demand, Caller)

    enum Piece {
        case credential(Authenticator.Piece)
        /// Nil: the customer is not in memory.
        case customer(UserID, Decision?)
    }
}

extension Appliance {
    /// Without an await, a look at the store or an allocation to speak of.
    func gate(
        _ query: Substring?, _ credential: Credential, at now: Timestamp,
        _ review: inout Review, address: () -> IPAddress?
    ) -> GateDecision {
        let decision = decide(query, credential, at: now, &review, address: address)
        count(decision)
        return decision
    }

    private func count(_ decision: GateDecision) {
        switch decision {
        case .allowed(let caller):
            traffic.allow()
            gateMeter.allow(plan: caller.snapshot.plan)
        case .refused(let problem, let caller):
            traffic.refuse(problem.code)
            gateMeter.refuse(problem, plan: caller?.snapshot.plan)
        case .cold, .shared: break
        }
    }

    /// What a shared state says: `allowed` or `refused`.
    func gate(
        _ demand: Demand, of caller: Caller, at now: Timestamp, _ review: inout Review
    ) async -> GateDecision {
        let decision: GateDecision
        do throws(Problem) {
            _ = try await gatekeeper.admit(
                caller.userID, demand, key: caller.keyRules, at: now, &review)
            decision = .allowed(caller)
        } catch {
            decision = .refused(error, caller)
        }
        count(decision)
        return decision
    }

    private func decide(
        _ query: Substring?, _ credential: Credential, at now: Timestamp,
        _ review: inout Review, address: () -> IPAddress?
    ) -> GateDecision {
        let asked: GateQuery
        do throws(Problem) {
            asked = query == nil ? .plain : try GateQuery(query)
        } catch {
            return .refused(error, nil)
        }
        switch authenticator.warmCaller(credential, at: now, address: address) {
        case .cold(let piece): return .cold(.credential(piece), nil)
        case .refused(let problem): return .refused(problem, nil)
        case .known(let caller):
            guard !caller.isHeldBack else { return .refused(Caller.enrolFirst, caller) }
            if let missing = Self.missingScope(asked, caller) {
                return .refused(missing, caller)
            }
            let decision = gatekeeper.decide(caller, asked.demand, at: now, &review)
            switch decision {
            case .granted: return .allowed(caller)
            case nil where gatekeeper.shared != nil: return .shared(asked.demand, caller)
            case .stale, nil: return .cold(.customer(caller.userID, decision), caller)
            case .some(let refusal):
                return .refused(
                    Gatekeeper.problem(refusal, review.states, at: now), caller)
            }
        }
    }

    private static func missingScope(_ asked: GateQuery, _ caller: Caller) -> Problem? {
        let needed = [Scope.gate, asked.scope ?? .gate]
        let missing = needed.first { !caller.has($0) }
        return missing.map { Problem(.insufficientScope, "This needs the scope \($0.rawValue).") }
    }

    /// Loads what the gate found cold.
    func warm(_ piece: GateDecision.Piece, at now: Timestamp) async throws(Problem) {
        switch piece {
        case .credential(let piece): try await authenticator.load(piece)
        case .customer(let user, nil): try await gatekeeper.load(user, at: now)
        case .customer(let user, _): try await gatekeeper.settle(user, at: now)
        }
    }

    /// A refusal with every identity header, so that a proxy that copies them overwrites what the
    /// client sent (security F1).
    func refusal(
        _ problem: Problem, _ caller: Caller?, query: Substring?, requestID: String
    ) -> Answer {
        let code = problem.code.status.code
        let isDisguised = (code == 402 || code == 429) && GateQuery.isDisguised(query)
        var answer = problem.answer(
            requestID: requestID, status: isDisguised ? .forbidden : nil)
        Identity(caller).add(to: &answer.headers)
        // Proxies throw the body away: the code says what the status alone does not.
        answer.headers[.gatehouseCode] = problem.code.rawValue
        if isDisguised { answer.headers[.gatehouseStatus] = String(code) }
        return answer
    }
}
