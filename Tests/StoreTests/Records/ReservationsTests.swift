import Domain
import Testing

@testable import Store

@Suite("Reservations", .onEveryEngine)
struct ReservationsTests {
    private let store: RecordStore
    private let now = RecordStore.now

    init() async throws { store = try await RecordStore() }

    private func insert(
        _ number: UInt64, seconds: Int64 = 60, key: APIKeyID? = nil
    ) async throws -> Reservation {
        let reservation = Reservation(
            id: .sample(number), userID: store.user, keyID: key, metric: "tokens", amount: 500,
            createdAt: now, expiresAt: now + .seconds(seconds))
        try await store.write { db throws(Problem) in try db.reservations.insert(reservation) }
        return reservation
    }

    private func find(_ reservation: Reservation) async throws -> Reservations.Found? {
        try await store.read { db throws(Problem) in
            try db.reservations.find(reservation.id, of: reservation.userID)
        }
    }

    private func settle(
        _ reservation: Reservation, user: UserID? = nil, as settlement: Reservations.Settlement,
        at moment: Timestamp
    ) async throws -> Reservation? {
        try await store.write { db throws(Problem) in
            try db.reservations.settle(
                reservation.id, of: user ?? reservation.userID, as: settlement, at: moment)
        }
    }

    @Test("A reservation comes back as it was made, and held")
    func roundTrip() async throws {
        for reservation in [try await insert(1), try await insert(2, key: .sample(9))] {
            #expect(
                try await find(reservation) == .init(reservation: reservation, state: .held))
            let stranger = try await store.read { [store] db throws(Problem) in
                try db.reservations.find(reservation.id, of: store.other)
            }
            #expect(stranger == nil)
        }
    }

    @Test("A commit is remembered with its amount, also one of more than was reserved or of none")
    func commit() async throws {
        for (number, amount) in [UInt64(1): Int64(0), 2: 500, 3: 900] {
            let held = try await insert(number)
            #expect(try await settle(held, as: .committed(amount: amount), at: now) == held)
            #expect(try await find(held)?.state == .committed(amount: amount, at: now))
            #expect(try await settle(held, as: .committed(amount: amount), at: now) == nil)
            #expect(try await settle(held, as: .released, at: now) == nil)
            #expect(try await find(held)?.state == .committed(amount: amount, at: now))
        }
    }

    @Test("A released one cannot be committed")
    func release() async throws {
        let held = try await insert(1)
        #expect(try await settle(held, as: .released, at: now) == held)
        #expect(try await find(held)?.state == .released(at: now))
        #expect(try await settle(held, as: .committed(amount: 1), at: now) == nil)
    }

    @Test("A stranger settles nothing, and nobody does when its time is over")
    func conditions() async throws {
        let held = try await insert(1)
        #expect(try await settle(held, user: store.other, as: .released, at: now) == nil)
        #expect(try await settle(held, as: .released, at: held.expiresAt) == nil)
        #expect(try await settle(held, as: .committed(amount: 1), at: held.expiresAt) == nil)
        #expect(try await find(held)?.state == .held)
        let last = held.expiresAt - .milliseconds(1)
        #expect(try await settle(held, as: .released, at: last) == held)
    }

    @Test("Of 64 that commit or release at once, one does")
    func race() async throws {
        let held = try await insert(1)
        let count = try await store.winners { [now] db throws(Problem) in
            let settlement: Reservations.Settlement =
                Bool.random() ? .released : .committed(amount: 3)
            return try db.reservations.settle(held.id, of: held.userID, as: settlement, at: now)
                != nil
        }
        #expect(count == 1)
    }

    @Test("An amount below zero is refused")
    func negative() async throws {
        let held = try await insert(1)
        await #expect(throws: Problem.self) {
            _ = try await settle(held, as: .committed(amount: -1), at: now)
        }
        #expect(try await find(held)?.state == .held)
    }

    @Test("Those that hold something are listed, the first to end first")
    func live() async throws {
        let long = try await insert(1, seconds: 60)
        let short = try await insert(2, seconds: 30)
        let settled = try await insert(3, seconds: 90)
        _ = try await settle(settled, as: .released, at: now)
        _ = try await insert(4, seconds: 0)
        let found = try await store.read { [store, now] db throws(Problem) in
            (
                try db.reservations.live(of: store.user, at: now),
                try db.reservations.live(of: store.other, at: now)
            )
        }
        #expect(found.0 == [short, long])
        #expect(found.1.isEmpty)
    }

    @Test("What has ended is pruned, so many at a time, settled or not")
    func prune() async throws {
        for number in UInt64(1)...5 {
            let held = try await insert(number, seconds: Int64(number))
            if number == 2 { _ = try await settle(held, as: .released, at: now) }
        }
        let moment = now + .seconds(4)
        for expected in [2, 1, 0] {
            let count = try await store.write { db throws(Problem) in
                try db.reservations.prune(endedBefore: moment, atMost: 2)
            }
            #expect(count == expected)
        }
        #expect(try await store.count("reservations") == 2)
    }
}
