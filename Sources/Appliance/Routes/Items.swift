import Domain
import HTTPTypes
import Store

extension Appliance {
    /// A JSON text of 16 KiB can be written with escapes of up to six times its size.
    private static let itemBodyMax = 6 * Item.dataBytesMax + 4096

    var itemRoutes: [Route] {
        [
            Route(.get, "/api/v1/items", .scope(.itemsRead), .listItems, isThrottled: false) {
                call throws(Problem) in
                let page = try call.page()
                return try await self.metered(call) { caller throws(Problem) in
                    let items = try await self.store.read { db throws(Problem) in
                        try db.items.list(of: caller.userID, page)
                    }
                    let next = Call.cursor(
                        after: items.last?.id, isFull: items.count == page.limit)
                    return .list(items, nextCursor: next) { $0.item($1) }
                }
            },
            Route(
                .post, "/api/v1/items", .scope(.itemsWrite), .createItem, bodyMax: Self.itemBodyMax,
                isThrottled: false, creates: true
            ) { call throws(Problem) in try await self.createItem(call) },
            Route(.get, "/api/v1/items/{id}", .scope(.itemsRead), .showItem, isThrottled: false) {
                call throws(Problem) in
                let id: ItemID = try call.id("item")
                return try await self.metered(call) { caller throws(Problem) in
                    let item = try await self.store.read { db throws(Problem) in
                        try db.items.find(id, of: caller.userID)
                    }
                    guard let item else { throw .notFound("item") }
                    return .json { $0.item(item) }
                }
            },
            Route(
                .patch, "/api/v1/items/{id}", .scope(.itemsWrite), .updateItem,
                bodyMax: Self.itemBodyMax,
                isThrottled: false
            ) { call throws(Problem) in try await self.updateItem(call) },
            Route(
                .delete, "/api/v1/items/{id}", .scope(.itemsWrite), .deleteItem, isThrottled: false
            ) {
                call throws(Problem) in
                let id: ItemID = try call.id("item")
                return try await self.metered(call, .removes(Item.resource)) {
                    caller throws(Problem) in
                    let isGone = try await self.store.write { db throws(Problem) in
                        try db.items.delete(id, of: caller.userID)
                    }
                    guard isGone else { throw .notFound("item") }
                    return .noContent
                }
            },
        ]
    }

    private func createItem(_ call: Call) async throws(Problem) -> Answer {
        var form = try await call.form()
        let name = form.words("name", max: Item.nameMax)
        let data = form.value("data") ?? .null
        form.checkItemData(data)
        let label = try form.finish(name)
        let now = call.now
        return try await metered(call, .adds(Item.resource)) { caller throws(Problem) in
            var random = SystemRandomNumberGenerator()
            let item = Item(
                id: ID(at: now, using: &random), userID: caller.userID, name: label, data: data,
                createdAt: now, updatedAt: now)
            let answer = Answer.json(.created) { $0.item(item) }
                .with(.location, "\(call.route.base)/items/\(item.id)")
            try await self.store.write { db throws(Problem) in
                try db.items.insert(item)
                try call.keep(answer, db)
            }
            return answer
        }
    }

    private func updateItem(_ call: Call) async throws(Problem) -> Answer {
        let id: ItemID = try call.id("item")
        var form = try await call.form()
        let name = form.words("name", max: Item.nameMax, required: false)
        let data = form.value("data")
        if let data { form.checkItemData(data) }
        try form.finish()
        let now = call.now
        return try await metered(call) { caller throws(Problem) in
            let item = try await self.store.write { db throws(Problem) in
                guard var item = try db.items.find(id, of: caller.userID) else {
                    throw Problem.notFound("item")
                }
                if let name { item.name = name }
                if let data { item.data = data }
                item.updatedAt = now
                try db.items.update(item)
                return item
            }
            return .json { $0.item(item) }
        }
    }
}

extension Form {
    fileprivate mutating func checkItemData(_ data: JSON) {
        if data.encoded.utf8.count > Item.dataBytesMax {
            refuse("data", "too_long", "At most \(Item.dataBytesMax) bytes of JSON.")
        }
    }
}

extension Shapes {
    static let item = Shape<Item>(
        "Item",
        [
            .member("id") { $0.id },
            .member("name", .words(max: Item.nameMax, example: "A green thing")) { $0.name },
            .member("data", .any.noted("Any JSON, up to 16 KiB.")) { $0.data },
            .member("created_at") { $0.createdAt },
            .member("updated_at") { $0.updatedAt },
        ])
}

extension JSONWriter {
    /// `Item`.
    mutating func item(_ item: Item) { write(item, as: Shapes.item) }
}
