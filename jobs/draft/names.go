package draft

import (
	"slices"
	"strings"
)

// Names that columns have, the likeliest first: in English, then in languages whose tables
// people bring, as plainName writes them.
var (
	headNames = words(`title headline subject heading header
		titel betreff rubrik amne emne overskrift otsikko aihe onderwerp
		titre sujet objet titulo asunto assunto titolo oggetto tytul temat`)
	//nolint:misspell // Spanish
	bodyNames = words(`description body text content message review comment question summary abstract details
		lead article sentence tweet post utterance feedback complaint note name
		beschreibung nachricht inhalt anfrage frage kommentar beskrivning beskrivelse meddelande besked
		kuvaus viesti teksti tekst omschrijving bericht texte contenu commentaire
		texto descripcion mensaje comentario descricao mensagem testo descrizione messaggio tresc opis`)
	idNames    = words(`id uid uuid ticket ticket_id key no number nr`)
	urlNames   = words(`url link uri href`)
	labelNames = words(`label labels category categories class topic topics sentiment intent tag tags target
		polarity type kind department queue section genre genres rating
		kategorie kategorien klasse thema kategori kategorier klass kategoria luokka categorie
		categoria categorias clase classe tema theme etiquette etiqueta etichetta abteilung avdelning afdeling`)
	langNames = words(`language lang locale language_code lang_code lang_id`)
	// otherNames are columns of few values that say nothing about what a text is about.
	otherNames = words(`source language lang locale language_code lang_code lang_id country author user domain
		split date status priority prio year month gender age label_source
		prioritat prioritet priorite prioridad prioridade priorita prioriteit
		quelle kalla sprache sprak land datum dato jahr`)
)

func words(text string) []string { return strings.Fields(text) }

// plainName is a column's name in small letters without accents, as the names above are.
func plainName(name string) string {
	return strings.ToLower(plainLetters(strings.TrimSpace(name)))
}

// meaning is the column of one of our names for it, -1 if there is none.
func (t *surveyed) meaning(name string) int {
	if i := t.column(name); i >= 0 {
		return i
	}
	return slices.IndexFunc(t.names, func(n string) bool { return plainName(n) == name })
}
