import Domain
import Testing

@Suite("Scopes")
struct ScopeTests {
    @Test("Every scope is a member of its own, and no two are the same")
    func members() {
        for scope in Scope.allCases {
            let alone = Scopes([scope])
            #expect(alone.all.elementsEqual([scope]))
            #expect(Scope.allCases.filter { alone.contains($0) } == [scope])
        }
        #expect(Scopes(Scope.allCases).all.count == Scope.allCases.count)
    }

    @Test("Words come back sorted, each once")
    func words() {
        let scopes = Scopes(words: "usage:read gate items:read gate")
        #expect(scopes.words == ["gate", "items:read", "usage:read"])
        #expect(Scopes(words: scopes.words.joined(separator: " ")) == scopes)
    }

    @Test("A word that is no scope stands for nothing", arguments: ["", "root", "GATE", "gate,"])
    func unknown(word: String) {
        #expect(Scopes(words: word).isEmpty)
    }

    @Test("What two sets share is in both of them")
    func intersection() {
        let left = Scopes([.gate, .leases, .adminRead])
        let right = Scopes([.gate, .adminRead, .adminWrite])
        #expect(left.intersection(right).all.elementsEqual([.adminRead, .gate]))
    }
}
