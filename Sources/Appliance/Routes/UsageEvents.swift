import Domain
import HTTPTypes
import Store

extension Appliance {
    /// security.md B1: events come in bulk.
    private static let eventBodyMax = 1024 * 1024
    static let eventsMax = 1000
    /// Each event has six fields at most.
    private static let eventMembersMax = 6 * eventsMax

    var usageEventRoutes: [Route] {
        [
            Route(
                .post, "/api/v1/usage/events", .scope(.usageWrite), .recordEvents,
                bodyMax: Self.eventBodyMax,
                creates: true
            ) { call throws(Problem) in try await self.recordEvents(call) }
        ]
    }

    /// What a customer's service has used, counted once by its `id` (32 days). Past a limit it is
    /// counted all the same: it has happened.
    private func recordEvents(_ call: Call) async throws(Problem) -> Answer {
        let caller = try call.signedIn()
        let json = try await call.json(membersMax: Self.eventMembersMax)
        let reported = try Self.read(json, at: call.now)
        let events = try await owned(reported, by: caller, at: call.now)
        let now = call.now
        let isList = if case .array = json { true } else { false }
        let ahead = try await countAhead(events, at: now)
        let isNew: [Bool]
        let answer: Answer
        do throws(Problem) {
            (isNew, answer) = try await store.write { db throws(Problem) in
                let isNew = try db.usageEvents.record(events, at: now)
                let answer = Self.answer(events, isNew, isList: isList)
                try call.keep(answer, db)
                return (isNew, answer)
            }
        } catch {
            await takeBack(events, ahead, at: now)
            throw error
        }
        let marked = zip(events, isNew)
        await takeBack(marked.filter { !$0.1 }.map { $0.0 }, ahead, at: now)
        await didRecord(marked.filter { $0.1 }.map { $0.0 }, ahead, at: now)
        return answer
    }

    /// Where nodes share a customer's state, it counts events before the store has them: who dies
    /// in between has counted too much there, and not too little. A process's own memory would die
    /// with it, and counts them afterwards.
    private func countAhead(
        _ events: [UsageEvents.Event], at now: Timestamp
    ) async throws(Problem) -> [UserID: Acceptance] {
        guard gatekeeper.shared != nil else { return [:] }
        var ahead: [UserID: Acceptance] = [:]
        do throws(Problem) {
            for (user, events) in Dictionary(grouping: events, by: \.user) {
                let counted = try await gatekeeper.edit(user, at: now) { customer, now -> Int? in
                    events.count(in: &customer, at: now)
                    return events.count
                }
                ahead[user] = counted?.1
            }
        } catch {
            await takeBack(events, ahead, at: now)
            throw error
        }
        return ahead
    }

    /// Those that the store did not take, or had already.
    private func takeBack(
        _ events: [UsageEvents.Event], _ ahead: [UserID: Acceptance], at now: Timestamp
    ) async {
        for (user, events) in Dictionary(grouping: events, by: \.user) {
            guard let acceptance = ahead[user] else { continue }
            await gatekeeper.correct(user, .takesAway, at: now, after: acceptance) { customer, _ in
                events.takeBack(from: &customer)
            }
        }
    }

    private func didRecord(
        _ events: [UsageEvents.Event], _ ahead: [UserID: Acceptance], at now: Timestamp
    ) async {
        for (user, events) in Dictionary(grouping: events, by: \.user) {
            if let acceptance = ahead[user] {
                await gatekeeper.confirm(user, .adds, acceptance) { events.count(in: &$0, at: $1) }
            } else {
                await gatekeeper.correct(user, .adds, at: now) { events.count(in: &$0, at: $1) }
            }
            gatekeeper.notice(user)
        }
    }

    private static func answer(
        _ events: [UsageEvents.Event], _ isNew: [Bool], isList: Bool
    ) -> Answer {
        func write(_ json: inout JSONWriter, _ event: (UsageEvents.Event, Bool)) {
            json.write((event.0.id, !event.1), as: Shapes.eventResult)
        }
        let results = Array(zip(events, isNew))
        guard isList || results.isEmpty else { return .json { write(&$0, results[0]) } }
        return .json { json in
            json.object { json in json.member("items") { $0.array(results, write) } }
        }
    }

    // MARK: Reading

    /// An event as it was sent: whose it is, is not known yet.
    private struct Reported {
        enum Owner {
            case caller
            case user(UserID)
            case key(APIKeyID)
        }

        let id: String
        let metric: String
        let value: Int64
        let at: Timestamp
        let owner: Owner
        /// `[3].`, for errors that only show later.
        let path: String
    }

    /// Errors of one answer: a client with a thousand wrong events learns enough from these.
    private static let errorsMax = 100

    private static func read(_ json: JSON, at now: Timestamp) throws(Problem) -> [Reported] {
        guard case .array(let elements) = json else { return [try read(json, path: "", at: now)] }
        guard (1...eventsMax).contains(elements.count) else {
            throw .invalid("", "out_of_range", "From 1 to \(eventsMax) events.")
        }
        var found: [Reported] = []
        var errors: [Problem.Field] = []
        for (index, element) in elements.enumerated() {
            do throws(Problem) {
                found.append(try read(element, path: "[\(index)].", at: now))
            } catch {
                errors += error.errors
            }
        }
        guard errors.isEmpty else { throw .invalid(Array(errors.prefix(errorsMax))) }
        return found
    }

    private static func read(
        _ json: JSON, path: String, at now: Timestamp
    ) throws(Problem) -> Reported {
        var form = try Form(json, path: path)
        let id = form.words("id", max: 128)
        let metric = form.required("metric") { $0.word("metric", $1) }
        let value = form.required("value") { $0.amount("value", $1) }
        let at = form.optional("at") { form, value -> Timestamp? in
            guard let moment = form.timestamp("at", value) else { return nil }
            guard moment > now - UsageEvents.kept, moment <= now + AccessToken.skew else {
                form.refuse("at", "out_of_range", "Within the last 32 days.")
                return nil
            }
            return moment
        }
        let user: UserID? = form.optional("user_id") { $0.id("user_id", $1) }
        let key: APIKeyID? = form.optional("key_id") { $0.id("key_id", $1) }
        if user != nil, key != nil {
            form.refuse("key_id", "invalid", "Either user_id or key_id.")
        }
        let (name, counted, amount) = try form.finish(id, metric, value)
        let owner = key.map(Reported.Owner.key) ?? user.map(Reported.Owner.user) ?? .caller
        return Reported(
            id: name, metric: counted, value: amount, at: at ?? now, owner: owner, path: path)
    }

    // MARK: Owners

    /// Admins report for everybody, others for themselves (security K4). Errors name the event.
    private func owned(
        _ reported: [Reported], by caller: Caller, at now: Timestamp
    ) async throws(Problem) -> [UsageEvents.Event] {
        let owners = reported.map { $0.owner }
        let isAdmin = caller.account.role == .admin
        let keys = try await store.read { db throws(Problem) in
            var keys: [APIKeyID: APIKey] = [:]
            for case .key(let id) in owners where keys[id] == nil {
                keys[id] =
                    isAdmin
                    ? try db.apiKeys.find(id) : try db.apiKeys.find(id, of: caller.userID)
            }
            return keys
        }
        var events: [UsageEvents.Event] = []
        var metrics: [UserID: Set<String>] = [:]
        for report in reported {
            var user = caller.userID
            var limited: APIKeyID?
            switch report.owner {
            case .caller: break
            case .user(let id):
                guard isAdmin || id == user else { throw Self.unknown(report, "user_id") }
                user = id
            case .key(let id):
                guard let key = keys[id] else { throw Self.unknown(report, "key_id") }
                user = key.userID
                limited = key.limits.all.isEmpty ? nil : id
            }
            try await check(report, of: user, &metrics, at: now)
            events.append(
                UsageEvents.Event(
                    id: report.id, user: user, key: limited, metric: report.metric,
                    value: report.value, at: report.at))
        }
        return events
    }

    /// That there is such a customer, and room for one more metric of theirs.
    private func check(
        _ report: Reported, of user: UserID, _ metrics: inout [UserID: Set<String>],
        at now: Timestamp
    ) async throws(Problem) {
        if metrics[user] == nil {
            guard try await authenticator.account(user) != nil else {
                throw Self.unknown(report, "user_id")
            }
            metrics[user] = try await gatekeeper.look(user, at: now) { customer, _ in
                Set(customer.account.meters.map(\.metric))
            }
        }
        metrics[user, default: []].insert(report.metric)
        guard metrics[user, default: []].count <= Demand.metricsMax else {
            throw .invalid(
                report.path + "metric", "too_many",
                "At most \(Demand.metricsMax) metrics a customer.")
        }
    }

    private static func unknown(_ report: Reported, _ field: String) -> Problem {
        .invalid(report.path + field, "unknown", "There is no such owner.")
    }
}

extension [UsageEvents.Event] {
    fileprivate func count(in customer: inout Customer, at now: Timestamp) {
        for event in self {
            for owner in event.owners {
                customer.edit(owner) {
                    $0.add(event.value, of: event.metric, usedAt: event.at, at: now)
                }
            }
        }
    }

    fileprivate func takeBack(from customer: inout Customer) {
        for event in self {
            for owner in event.owners {
                customer.edit(owner) {
                    $0.takeBack(event.value, of: event.metric, usedAt: event.at)
                }
            }
        }
    }
}

extension UsageEvents.Event {
    /// The ledgers that it is counted in.
    fileprivate var owners: [APIKeyID?] { key.map { [nil, $0] } ?? [nil] }
}

extension Shapes {
    static let eventResult = Shape<(id: String, isDuplicate: Bool)>(
        "EventResult",
        [
            .member("id", .words(max: 128, example: "order-4711")) { $0.id },
            .member("duplicate", .boolean.noted("It was counted before.").showing(false)) {
                $0.isDuplicate
            },
        ])
}
