import Domain
import Store

/// Reads a list to its end in pages of 3, and puts something new in front of it between any two.
func readInPages<Value: Sendable>(
    id: (Value) -> String, meanwhile: () async throws -> Void,
    page: (Page) async throws -> [Value]
) async throws -> [Value] {
    var found: [Value] = []
    var before: String?
    // More pages than any test has: a list that never ends fails the test instead.
    for _ in 0..<100 {
        let next = try await page(Page(limit: 3, before: before))
        guard let last = next.last else { return found }
        found += next
        before = id(last)
        try await meanwhile()
    }
    return found
}
