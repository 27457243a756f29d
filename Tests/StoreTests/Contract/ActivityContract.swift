import Domain
import Store
import Testing

@Suite("Activity")
struct ActivityContract {
    private static func points(
        _ db: any Database, _ window: Window, from period: String
    ) async throws -> [Activity.Point] {
        try await db.read { db throws(Problem) in try db.activity.points(window, from: period) }
    }

    @Test("What happens is added up by the hour and by the day it happened in")
    func sums() async throws {
        try await withStore { db in
            let moments = [
                ("2026-11-23T12:00:00.000Z", 1), ("2026-11-23T12:59:59.999Z", 2),
                ("2026-11-23T13:00:00.000Z", 4), ("2026-11-24T00:00:00.000Z", 8),
            ]
            for (text, count) in moments {
                let moment = try #require(Timestamp(text))
                try await db.write { db throws(Problem) in
                    try db.activity.add("sign_ins", Int64(count), at: moment)
                    try db.activity.add("users_created", at: moment)
                }
            }
            func values(
                _ window: Window, _ name: String, from period: String
            ) async throws -> [Int64] {
                try await Self.points(db, window, from: period)
                    .filter { $0.name == name }.map(\.value)
            }
            #expect(try await values(.hour, "sign_ins", from: "2026-11-23T12") == [3, 4, 8])
            #expect(try await values(.hour, "sign_ins", from: "2026-11-23T13") == [4, 8])
            #expect(try await values(.day, "sign_ins", from: "2026-11-23") == [7, 8])
            #expect(try await values(.day, "users_created", from: "2026-11-01") == [3, 1])
        }
    }

    @Test("Hours that are over are removed in parts, days stay")
    func prune() async throws {
        try await withStore { db in
            let start = try #require(Timestamp("2026-11-23T12:00:00.000Z"))
            for hour in 0..<6 {
                try await db.write { db throws(Problem) in
                    try db.activity.add("sign_ins", at: start + .seconds(hour * 3600))
                }
            }
            func prune() async throws -> Int {
                try await db.write { db throws(Problem) in
                    try db.activity.prune(before: start + .seconds(4 * 3600), atMost: 3)
                }
            }
            #expect(try await prune() == 3)
            #expect(try await prune() == 1)
            #expect(try await prune() == 0)
            let hours = try await Self.points(db, .hour, from: "").map(\.period)
            #expect(hours == ["2026-11-23T16", "2026-11-23T17"])
            #expect(try await Self.points(db, .day, from: "").map(\.value) == [6])
        }
    }
}
