import Domain
import Support
import Testing

@Suite("Lease")
struct LeaseTests {
    private static let now = Timestamp(milliseconds: 1_795_452_720_000)  // 2026-11-23T16:52:00Z
    private let user: UserID
    private let key: APIKeyID
    private let ids: [LeaseID]

    init() {
        var random = SplitMix64(seed: 9)
        user = ID(at: Self.now, using: &random)
        key = ID(at: Self.now, using: &random)
        ids = (0..<1001).map { _ in ID(at: Self.now, using: &random) }
    }

    private func lease(
        _ number: Int, seconds: Int64 = 60, of resource: String = "jobs", key: APIKeyID? = nil
    ) -> Lease {
        Lease(
            id: ids[number], userID: user, keyID: key, resource: resource,
            fencingToken: Int64(number), createdAt: Self.now,
            expiresAt: Self.now + .seconds(seconds))
    }

    private func release(_ number: Int, _ customer: inout Customer) -> Bool {
        customer.release(ids[number], fencingToken: Int64(number), at: Self.now)
    }

    @Test("As many leases live at one time as the plan allows")
    func limit() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":2}"#))
        var review = Review()
        #expect(customer.lease(lease(0), at: Self.now, &review).isGranted)
        let state = try #require(review.states.first)
        #expect(state.name == "concurrent_jobs")
        #expect(state.allowed == 2 && state.used == 1 && state.remaining == 1)
        #expect(customer.lease(lease(1), at: Self.now).isGranted)
        let before = customer
        let refusal = try customer.lease(lease(2), at: Self.now, &review).refusal()
        #expect(refusal.reason == .concurrency)
        #expect(refusal.state.used == 2 && refusal.state.remaining == 0)
        #expect(customer == before)
        #expect(customer.lease(lease(3, of: "others"), at: Self.now).isGranted)
        #expect(release(0, &customer))
        #expect(customer.lease(lease(2), at: Self.now).isGranted)
    }

    @Test("A refusal can be asked again exactly when a lease of that resource ends")
    func retry() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":2}"#))
        _ = customer.lease(lease(0, seconds: 90), at: Self.now)
        _ = customer.lease(lease(1, seconds: 40), at: Self.now)
        _ = customer.lease(lease(2, seconds: 5, of: "others"), at: Self.now)
        let refusal = try customer.lease(lease(3), at: Self.now).refusal()
        let end = Self.now + .seconds(40)
        #expect(refusal.retryAt == end)
        #expect(refusal.state.resetsAt == end)
        #expect(refusal.canEverPass)
        #expect(!customer.lease(lease(3), at: end - .milliseconds(1)).isGranted)
        #expect(customer.lease(lease(3), at: end).isGranted)
    }

    @Test("Under a smaller plan a lease passes when enough of the others have ended")
    func smallerPlan() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":3}"#))
        for number in 0..<3 {
            _ = customer.lease(lease(number, seconds: Int64(number + 1) * 10), at: Self.now)
        }
        customer.standing = try Standing(json: #"{"concurrent_jobs":1}"#)
        let refusal = try customer.lease(lease(3), at: Self.now).refusal()
        #expect(refusal.retryAt == Self.now + .seconds(30))
        #expect(refusal.state.used == 3)
    }

    @Test("A bound of 0 never passes, and says so")
    func never() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":0}"#))
        let refusal = try customer.lease(lease(0), at: Self.now).refusal()
        #expect(!refusal.canEverPass)
        #expect(refusal.retryAt == Self.now + .seconds(3600))
    }

    @Test("A key's own bound counts the leases taken with that key")
    func ofKey() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":3}"#))
        let rules = Customer.KeyRules(id: key, rules: try Ruleset(json: #"{"concurrent_jobs":1}"#))
        #expect(customer.lease(lease(0), at: Self.now).isGranted)
        #expect(customer.lease(lease(1, key: key), key: rules, at: Self.now).isGranted)
        let refusal = try customer.lease(lease(2, key: key), key: rules, at: Self.now).refusal()
        #expect(refusal.state.allowed == 1)
        #expect(customer.lease(lease(3), at: Self.now).isGranted)
    }

    @Test("A lease ends at its time, and a renewed one at the later")
    func renewed() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":1}"#))
        _ = customer.lease(lease(0, seconds: 10), at: Self.now)
        let later = Self.now + .seconds(70)
        let half = Self.now + .seconds(9)
        let renewed = customer.renew(ids[0], fencingToken: 0, until: later, at: half)
        #expect(renewed?.expiresAt == later)
        #expect(customer.inUse("jobs", at: later - .milliseconds(1)) == 1)
        #expect(!customer.lease(lease(1), at: Self.now + .seconds(30)).isGranted)
        #expect(customer.inUse("jobs", at: later) == 0)
        #expect(customer.renew(ids[0], fencingToken: 0, until: later, at: later) == nil)
        #expect(customer.release(ids[0], fencingToken: 0, at: later) == false)
    }

    @Test("Only its holder renews and releases a lease")
    func holder() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        _ = customer.lease(lease(5), at: Self.now)
        let later = Self.now + .seconds(99)
        #expect(customer.renew(ids[5], fencingToken: 4, until: later, at: Self.now) == nil)
        #expect(customer.release(ids[5], fencingToken: 6, at: Self.now) == false)
        #expect(customer.renew(ids[5], fencingToken: 5, until: later, at: Self.now) != nil)
        #expect(release(5, &customer))
        #expect(!release(5, &customer))
    }

    @Test("What is in use is reported with and without a limit, as of the moment asked for")
    func report() throws {
        var customer = Customer(
            standing: try Standing(json: #"{"concurrent_jobs":2,"concurrent_idle":1}"#))
        _ = customer.lease(lease(0, seconds: 10), at: Self.now)
        _ = customer.lease(lease(1, seconds: 20), at: Self.now)
        _ = customer.lease(lease(2, of: "boats"), at: Self.now)
        _ = customer.lease(lease(3, of: "boats"), at: Self.now)
        func shown(_ now: Timestamp) -> [String] {
            customer.report(at: now).concurrency.map {
                "\($0.resource) \($0.count) of \($0.limit.map(String.init) ?? "any")"
            }
        }
        #expect(shown(Self.now) == ["boats 2 of any", "idle 0 of 1", "jobs 2 of 2"])
        let later = Self.now + .seconds(10)
        #expect(shown(later) == ["boats 2 of any", "idle 0 of 1", "jobs 1 of 2"])
        #expect(shown(Self.now + .seconds(60)) == ["idle 0 of 1", "jobs 0 of 2"])
    }

    @Test("Without a plan, and after its end, no lease is given")
    func noPlan() throws {
        var customer = Customer(standing: nil)
        #expect(customer.lease(lease(0), at: Self.now) == .unsubscribed)
        customer.standing = try Standing(json: "{}", expiresAt: Self.now)
        #expect(customer.lease(lease(0), at: Self.now) == .stale)
    }

    @Test("A lease taken over from the store counts again, unless its time is past")
    func restored() throws {
        var customer = Customer(standing: try Standing(json: #"{"concurrent_jobs":1}"#))
        customer.restore(lease(0, seconds: 0), at: Self.now)
        #expect(customer.inUse("jobs", at: Self.now) == 0)
        customer.restore(lease(1), at: Self.now)
        #expect(!customer.lease(lease(2), at: Self.now).isGranted)
    }

    @Test("A customer without a limit has a thousand live leases at most")
    func bounded() throws {
        var customer = Customer(standing: try Standing(json: "{}"))
        for number in 0..<Lease.perCustomerMax {
            #expect(customer.lease(lease(number), at: Self.now).isGranted)
        }
        #expect(customer.lease(lease(1000), at: Self.now) == .tooManyLive)
        #expect(customer.lease(lease(1000), at: Self.now + .seconds(60)).isGranted)
    }
}
