import Domain
import Testing

@Suite("Places in a journal")
struct JournalPlaceTests {
    private static let start = Timestamp(milliseconds: 1_800_000_000_000)

    private static func booking(
        _ customer: inout Customer, _ metric: String, at now: Timestamp
    ) throws -> Booking {
        var review = Review()
        _ = customer.admit(Demand(metric: metric), at: now, &review)
        return try #require(review.bookings.first)
    }

    @Test("A place that was given back is forgotten by the meter that had it, and no other")
    func forgotten() throws {
        var customer = Customer(
            standing: Standing(planSlug: "p", rules: .none, expiresAt: nil))
        for (place, metric) in [(Int64(1), "a"), (2, "b")] {
            let booking = try Self.booking(&customer, metric, at: Self.start)
            #expect(booking.place == nil)
            customer.setPlace(place, of: booking)
        }
        customer.forget(place: 1)
        #expect(try Self.booking(&customer, "a", at: Self.start).place == nil)
        #expect(try Self.booking(&customer, "b", at: Self.start).place == 2)
    }

    @Test("A place is that of one hour")
    func hour() throws {
        var customer = Customer(
            standing: Standing(planSlug: "p", rules: .none, expiresAt: nil))
        customer.setPlace(7, of: try Self.booking(&customer, "a", at: Self.start))
        #expect(try Self.booking(&customer, "a", at: Self.start).place == 7)
        let later = Self.start + .seconds(3600)
        #expect(try Self.booking(&customer, "a", at: later).place == nil)
        // The clock steps back; what is counted stays in the later hour.
        #expect(try Self.booking(&customer, "a", at: Self.start).place == nil)
    }
}
