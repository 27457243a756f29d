import Domain
import Store
import Testing

@Suite("Items")
struct ItemContract {
    private static let nested = JSON.object([
        JSON.Member("b", .array([.null, .bool(true), .integer(.min), .decimal("1.50e-7")])),
        JSON.Member("a", .string("\u{0000}\"\\\u{2028}🐘")), JSON.Member("", .object([])),
    ])

    @Test(
        "Every field comes back as it was written, whatever JSON the data is",
        arguments: [nested, .null, .string(""), .integer(.max), .array([]), .decimal("1e400")])
    func roundTrip(data: JSON) async throws {
        try await withStore { db in
            var sample = Sample()
            let account = sample.account()
            let item = Item(
                id: sample.id(), userID: account.id, name: "Näme '; --", data: data,
                createdAt: sample.now, updatedAt: sample.now + .seconds(1))
            try await db.insert(account)
            let found = try await db.write { db throws(Problem) in
                try db.items.insert(item)
                return try db.items.find(item.id, of: account.id)
            }
            #expect(found == item)
        }
    }

    @Test("Another user's item is neither found, changed, deleted nor counted")
    func owners() async throws {
        try await withStore { db in
            var sample = Sample()
            let owner = sample.account()
            let other = sample.account()
            let item = sample.item(of: owner.id)
            try await db.insert(owner, other)
            let stolen = Item(
                id: item.id, userID: other.id, name: "stolen", data: .null,
                createdAt: item.createdAt, updatedAt: item.updatedAt)
            let (found, isDeleted, listed, count) = try await db.write { db throws(Problem) in
                try db.items.insert(item)
                try db.items.update(stolen)
                return (
                    try db.items.find(item.id, of: other.id),
                    try db.items.delete(item.id, of: other.id),
                    try db.items.list(of: other.id, Page(limit: 9)),
                    try db.items.count(of: other.id)
                )
            }
            #expect(found == nil && !isDeleted && listed.isEmpty && count == 0)
            let kept = try await db.read { db throws(Problem) in
                try db.items.find(item.id, of: owner.id)
            }
            #expect(kept == item)
        }
    }

    @Test("Updating changes name, data and time; deleting takes the item once")
    func changes() async throws {
        try await withStore { db in
            var sample = Sample()
            let owner = sample.account()
            var item = sample.item(of: owner.id)
            let other = sample.item(of: owner.id)
            let first = item
            item.name = "new"
            item.data = Self.nested
            item.updatedAt = sample.now + .seconds(9)
            let changed = item
            try await db.insert(owner)
            try await db.write { db throws(Problem) in
                try db.items.insert(first)
                try db.items.insert(other)
                try db.items.update(changed)
            }
            let listed = try await db.read { db throws(Problem) in
                try db.items.list(of: owner.id, Page(limit: 9))
            }
            #expect(listed == [other, changed])
            let answers = try await db.write { db throws(Problem) in
                [
                    try db.items.delete(first.id, of: owner.id),
                    try db.items.delete(first.id, of: owner.id),
                ]
            }
            #expect(answers == [true, false])
            let count = try await db.read { db throws(Problem) in
                try db.items.count(of: owner.id)
            }
            #expect(count == 1)
        }
    }

    @Test("The list runs from the newest, and inserts move no row from one page to another")
    func paging() async throws {
        try await withStore { db in
            var sample = Sample()
            let owner = sample.account()
            let other = sample.account()
            try await db.insert(owner, other)
            var made: [Item] = []
            func insert(_ item: Item) async throws {
                try await db.write { db throws(Problem) in try db.items.insert(item) }
            }
            for _ in 0..<9 {
                made.append(sample.item(of: owner.id))
                try await insert(sample.item(of: other.id))
            }
            for item in made.shuffled(using: &sample.random) { try await insert(item) }
            let found = try await readInPages(
                id: { $0.id.description },
                meanwhile: { try await insert(sample.item(of: owner.id)) },
                page: { page in
                    try await db.read { db throws(Problem) in
                        try db.items.list(of: owner.id, page)
                    }
                })
            #expect(found == made.reversed())
        }
    }
}
