//! The words as they leave: the standard ones for every purpose, way and language, and a practice's own.

use proptest::prelude::*;

use super::{
    gsm7::{Coding, fold, measure},
    *,
};
use crate::notifications::{Channel, Purpose};

const PURPOSES: [Purpose; 3] = [Purpose::Reminder, Purpose::Confirmation, Purpose::Cancellation];
const LANGUAGES: [Language; 2] = [Language::Fr, Language::En];
const LINK: &str = "https://rdv.permanence.example/r/7Gk2Qx9bT4mWc3Zn";

fn facts() -> AppointmentFacts {
    AppointmentFacts {
        practice_name: "Cabinet Martin".to_owned(),
        practice_phone: Some("01 23 45 67 89".to_owned()),
        practice_address: Some("12 rue de la Paix, 75002 Paris".to_owned()),
        patient_first_name: "Léa".to_owned(),
        starts_at: "2026-03-03T13:30:00Z".parse().unwrap(),
        zone: chrono_tz::Europe::Paris,
        practitioner_name: "Camille Roy".to_owned(),
        specialty: None,
        reason: None,
        manage_url: None,
        unsubscribe_url: None,
    }
}

/// Everything that may be told.
fn disclosed() -> AppointmentFacts {
    AppointmentFacts {
        specialty: Some("Ostéopathie".to_owned()),
        reason: Some("Suivi".to_owned()),
        manage_url: Some(LINK.to_owned()),
        unsubscribe_url: Some("https://rdv.permanence.example/u/4mW".to_owned()),
        ..facts()
    }
}

fn sms(content: Content) -> String {
    match content {
        Content::Sms { text, .. } => text,
        Content::Email(email) => panic!("a mail: {email:?}"),
    }
}

fn mail(content: Content) -> EmailContent {
    match content {
        Content::Email(email) => email,
        Content::Sms { text, .. } => panic!("an SMS: {text}"),
    }
}

fn own(subject: Option<&str>, body: &str) -> Template {
    Template { version: 3, subject: subject.map(str::to_owned), body: body.to_owned(), transliterate: false }
}

#[test]
fn the_standard_words_of_every_message() {
    for purpose in PURPOSES {
        for language in LANGUAGES {
            let of = |facts: &AppointmentFacts| {
                let text = sms(render(None, purpose, Channel::Sms, language, facts));
                let size = measure(&text);
                let mail = mail(render(None, purpose, Channel::Email, language, facts));
                format!(
                    "{text}\n({} units, {} part(s))\n\n{}\n\n{}\n{}",
                    size.units, size.segments, mail.subject, mail.text, mail.html
                )
            };
            let whole = format!("{}\n\n=== with all that may be told\n\n{}", of(&facts()), of(&disclosed()));
            insta::assert_snapshot!(format!("{}_{}", purpose.name(), language.tag()), whole);
        }
    }
}

#[test]
fn every_day_of_the_year_a_standard_sms_is_one_gsm7_part_and_with_a_link_two_at_most() {
    let names = ["Cabinet Martin", "Centre médical Nord.", "Maison de santé des Deux Rivières"];
    for day in 0..366 {
        for name in names {
            for (purpose, language) in PURPOSES.into_iter().flat_map(|p| LANGUAGES.map(|l| (p, l))) {
                let mut facts = facts();
                facts.starts_at = facts.starts_at + chrono::Days::new(day);
                facts.practice_name = name.to_owned();
                let text = sms(render(None, purpose, Channel::Sms, language, &facts));
                let size = measure(&text);
                assert_eq!((size.coding, size.segments), (Coding::Gsm7, 1), "{text}");
                facts.manage_url = Some(LINK.to_owned());
                let text = sms(render(None, purpose, Channel::Sms, language, &facts));
                let size = measure(&text);
                assert!(size.coding == Coding::Gsm7 && size.segments <= 2, "{text}");
            }
        }
    }
}

#[test]
fn the_place_gives_way_rather_than_cost_a_further_part() {
    let long = "Résidence Les Jardins de la Fontaine, bâtiment C, 3e étage, 128 avenue Jean Jaurès";
    let facts = AppointmentFacts { practice_address: Some(long.to_owned()), ..facts() };
    assert_eq!(
        sms(render(None, Purpose::Reminder, Channel::Sms, Language::Fr, &facts)),
        "Rappel : RDV le mardi 3 mars à 14h30, Cabinet Martin. Pour annuler : 01 23 45 67 89"
    );
}

#[test]
fn a_name_outside_gsm7_costs_ucs2_unless_it_is_transliterated() {
    let facts = AppointmentFacts { practice_name: "Clinique du Château d’Orléans".to_owned(), ..facts() };
    let text = sms(render(None, Purpose::Reminder, Channel::Sms, Language::Fr, &facts));
    assert_eq!(measure(&text).coding, Coding::Ucs2);
    assert_eq!(gsm7::forcing(&text), ['â', '’']);
    let body = standard(Purpose::Reminder, Channel::Sms, Language::Fr).body;
    let cheap = Template { transliterate: true, ..own(None, body) };
    let cheap = sms(render(Some(&cheap), Purpose::Reminder, Channel::Sms, Language::Fr, &facts));
    assert!(
        cheap.contains("Clinique du Chateau d'Orleans") || cheap.contains("Clinique du Chateau d'Orléans")
    );
    assert_eq!((measure(&cheap).coding, cheap.clone()), (Coding::Gsm7, fold(&cheap)));
}

#[test]
fn neither_specialty_nor_reason_nor_practitioner_is_told_unless_it_is_given() {
    let all = |facts: &AppointmentFacts| {
        let mut words = String::new();
        for (purpose, language) in PURPOSES.into_iter().flat_map(|p| LANGUAGES.map(|l| (p, l))) {
            words += &sms(render(None, purpose, Channel::Sms, language, facts));
            let mail = mail(render(None, purpose, Channel::Email, language, facts));
            words += &(mail.subject + &mail.text + &mail.html);
        }
        words
    };
    let (silent, told) = (all(&facts()), all(&disclosed()));
    for secret in ["Roy", "Ostéo", "Suivi", "Motif", "Reason"] {
        assert!(!silent.contains(secret), "{secret}");
        assert!(told.contains(secret), "{secret}");
    }
}

#[test]
fn the_practice_s_own_words_are_sent_in_their_own_form() {
    let template = own(
        Some("{{ practice_name }} : à {{ weekday }}"),
        "Chère {{ patient_first_name }},\nà {{ weekday }} !\n\n> {{ date }}\n> {{ time }}\n\n\
         {{ manage_url }}\n\n\
         {% if practice_phone %}Tél. {{ practice_phone }}, ou {{ practice_phone }}.{% endif %}",
    );
    let facts = AppointmentFacts { patient_first_name: "<b>Léa</b>".to_owned(), ..disclosed() };
    let sent = mail(render(Some(&template), Purpose::Reminder, Channel::Email, Language::Fr, &facts));
    assert_eq!(sent.subject, "Cabinet Martin : à mardi");
    assert_eq!(
        sent.text,
        format!(
            "Chère <b>Léa</b>,\nà mardi !\n\n3 mars 2026\n14 h 30\n\nConfirmer ou annuler :\n{LINK}\n\n\
             Tél. 01 23 45 67 89, ou 01 23 45 67 89.\n\n\
             Ne plus recevoir ces messages :\nhttps://rdv.permanence.example/u/4mW\n"
        )
    );
    assert!(sent.html.contains("Chère &lt;b&gt;Léa&lt;/b&gt;,<br>à mardi\u{a0}!"), "{}", sent.html);
    assert_eq!(sent.html.matches("href=\"tel:0123456789\"").count(), 2, "{}", sent.html);
    assert_eq!(sent.html.matches(&format!("href=\"{LINK}\"")).count(), 1, "{}", sent.html);
    // Without a link the button goes, and nothing else.
    let facts = AppointmentFacts { manage_url: None, ..facts };
    let sent = mail(render(Some(&template), Purpose::Reminder, Channel::Email, Language::Fr, &facts));
    assert!(!sent.text.contains("Confirmer") && sent.text.contains("3 mars 2026"), "{}", sent.text);
}

#[test]
fn own_words_that_fail_now_give_way_to_the_standard_ones() {
    let usual = |channel| render(None, Purpose::Reminder, channel, Language::Fr, &facts());
    for body in
        ["{{ specialty }}", "{% if reason %}x{% endif %}", "{{ nobody }}", "{% if", "{{ date | upper }}"]
    {
        let sent = render(Some(&own(None, body)), Purpose::Reminder, Channel::Sms, Language::Fr, &facts());
        assert_eq!(sent, usual(Channel::Sms), "{body}");
        let template = own(Some(body), "Bonjour");
        let sent = render(Some(&template), Purpose::Reminder, Channel::Email, Language::Fr, &facts());
        assert_eq!(sent, usual(Channel::Email), "{body}");
    }
    // Rows that only another program could have written: they neither stop the worker nor fill its memory.
    let endless = "{% for a in [1,2,3,4,5,6,7,8,9] %}".repeat(9) + "{{ date }}" + &"{% endfor %}".repeat(9);
    let sent = render(Some(&own(None, &endless)), Purpose::Reminder, Channel::Sms, Language::Fr, &facts());
    assert_eq!(sent, usual(Channel::Sms));
}

#[test]
fn what_gives_way_is_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        for body in ["{{ date }}", "{{ specialty }}", "{% if reason %}x{% endif %}"] {
            let _ = render(Some(&own(None, body)), Purpose::Reminder, Channel::Sms, Language::Fr, &facts());
        }
    });
    let told = handle.render();
    let counted: Vec<&str> = told.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let count = |reason: &str| {
        format!(
            "permanence_template_fallbacks_total{{purpose=\"reminder\",channel=\"sms\",reason=\"{reason}\"}} 1"
        )
    };
    assert_eq!(counted.len(), 2, "{told}");
    assert!(counted.contains(&count("empty").as_str()), "{told}");
    assert!(counted.contains(&count("unknown_value").as_str()), "{told}");
}

#[test]
fn a_value_is_never_read_as_a_template_or_as_lines() {
    let facts = AppointmentFacts {
        practice_name: "<b>Martin & \"Fils\"</b>\nBcc: x".to_owned(),
        patient_first_name: "{{ reason }}{% if %}\n\n> ".to_owned(),
        practice_phone: Some("\"><img src=x>".to_owned()),
        manage_url: Some("javascript:\"><script>".to_owned()),
        ..facts()
    };
    let sent = mail(render(None, Purpose::Reminder, Channel::Email, Language::Fr, &facts));
    for raw in ["<b>", "<script", "<img"] {
        assert!(!sent.html.contains(raw), "{raw} in {}", sent.html);
    }
    assert!(sent.html.contains("&lt;b&gt;Martin &amp; &quot;Fils&quot;&lt;/b&gt; Bcc: x"), "{}", sent.html);
    assert!(sent.text.starts_with("Bonjour {{ reason }}{% if %} >,\n\n") && !sent.text.contains("\nBcc"));
}

/// What is wrong, as `field code`.
fn told(channel: Channel, template: &Template, sample: &AppointmentFacts) -> Vec<String> {
    match check(template, Purpose::Reminder, channel, Language::Fr, sample) {
        Ok(_) => Vec::new(),
        Err(crate::Invalid(problems)) => {
            problems.iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect()
        }
    }
}

#[test]
fn the_standard_words_pass_the_check_of_own_words() {
    let silent = AppointmentFacts { practice_phone: None, manage_url: Some(LINK.to_owned()), ..facts() };
    for (purpose, language) in PURPOSES.into_iter().flat_map(|p| LANGUAGES.map(|l| (p, l))) {
        for channel in [Channel::Sms, Channel::Email] {
            let words = standard(purpose, channel, language);
            for sample in [&disclosed(), &silent] {
                let base = words.base(sample.specialty.is_some(), sample.reason.is_some());
                let template = own(words.subject, &base);
                check(&template, purpose, channel, language, sample).unwrap();
            }
        }
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let sample = AppointmentFacts { manage_url: Some(LINK.to_owned()), practice_address: None, ..facts() };
    let template = own(
        Some("{{ patient_name }}\nBcc: x"),
        "{{ reason }}\n{% for x in date %}{{ date * 100 }}\n{# note #}\n{% if time %}",
    );
    assert_eq!(
        told(Channel::Email, &template, &sample),
        [
            "subject not_one_line",
            "subject unknown_placeholder",
            "body not_disclosed",
            "body unsupported_tag",
            "body unsupported_tag",
            "body unsupported_tag",
            "body template_syntax",
        ]
    );
    let Err(crate::Invalid(problems)) =
        check(&template, Purpose::Reminder, Channel::Email, Language::Fr, &sample)
    else {
        panic!("it passed")
    };
    assert!(problems[3].expected.starts_with("on line 2: "), "{problems:?}");
    assert!(problems[6].expected.starts_with("line 4: "), "{problems:?}");
}

#[test]
fn each_rule_has_its_code() {
    let sample = AppointmentFacts { manage_url: Some(LINK.to_owned()), practice_address: None, ..facts() };
    let both = AppointmentFacts { manage_url: Some(LINK.to_owned()), ..disclosed() };
    let body = |body: &str| told(Channel::Sms, &own(None, body), &sample);
    assert_eq!(body("Rappel : {{ date }}, {{ practice_phone }}"), [""; 0]);
    assert_eq!(body("  \n"), ["body not_a_text"]);
    assert_eq!(body("a\u{0}b"), ["body not_a_text"]);
    assert_eq!(body(&"x".repeat(5_001)), ["body not_a_text"]);
    assert_eq!(body("{% if reason %}x{% endif %}"), ["body not_disclosed"]);
    assert_eq!(body("{{ practice_address }}"), ["body unguarded_placeholder"], "this practice has none");
    assert_eq!(body("Ici : {{ manage_url }}"), ["body unguarded_placeholder"]);
    assert_eq!(body("{% if manage_url %}Ici : {{ manage_url }}{% endif %} x"), [""; 0]);
    assert_eq!(body("{% if manage_url %}Ici{% endif %}"), ["body not_a_text"], "nothing is left");
    assert_eq!(body("{{ \"a\" }}"), ["body unsupported_tag"]);
    assert_eq!(body("{{ date }"), ["body template_syntax"]);
    assert_eq!(body(&"é".repeat(6 * 153)), [""; 0]);
    assert_eq!(body(&"é".repeat(6 * 153 + 1)), ["body too_many_segments"]);
    assert_eq!(body(&"ê".repeat(6 * 67 + 1)), ["body too_many_segments"]);
    assert_eq!(told(Channel::Sms, &own(Some("x"), "x"), &sample), ["subject not_for_sms"]);
    assert_eq!(told(Channel::Email, &own(None, "x"), &sample), ["subject missing"]);
    assert_eq!(
        told(Channel::Email, &own(Some("{{ specialty }}"), "x"), &both),
        ["subject unguarded_placeholder"]
    );
    let folded = Template { transliterate: true, ..own(Some("x"), "x") };
    assert_eq!(told(Channel::Email, &folded, &sample), ["transliterate not_for_email"]);
}

proptest! {
    /// What passes the check is sent, whatever is known of an appointment.
    #[test]
    fn what_passes_the_check_never_falls_back(
        parts in proptest::collection::vec(0_usize..PLACEHOLDERS.len() * 3, 1..6),
        known in proptest::collection::vec(any::<bool>(), 3),
    ) {
        let body: String = parts.iter().map(|part| {
            let name = PLACEHOLDERS[part / 3];
            match part % 3 {
                0 => format!("a {{{{ {name} }}}} "),
                1 => format!("{{% if {name} %}}b {{{{ {name} }}}}{{% else %}}c{{% endif %}}\n"),
                _ => format!("{{% if not {name} %}}d{{% endif %}}e\n\n{{{{{name}}}}}\n"),
            }
        }).collect();
        let template = own(Some("x {{ weekday }}"), &body);
        let whole = disclosed();
        if check(&template, Purpose::Reminder, Channel::Email, Language::Fr, &whole).is_ok() {
            let mut facts = whole;
            if known[0] { facts.specialty = None; }
            if known[1] { facts.reason = None; }
            if known[2] { facts.manage_url = None; }
            prop_assert!(render::own(&template, Purpose::Reminder, Channel::Email, Language::Fr, &facts).is_ok());
        }
    }

    /// No text makes the check or the rendering panic or run for long.
    #[test]
    fn no_text_is_too_strange(body in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#| if | endif |date|[a-zé \\n-]){0,40}") {
        let template = own(None, &body);
        let checked = check(&template, Purpose::Reminder, Channel::Sms, Language::Fr, &facts());
        let sent = sms(render(Some(&template), Purpose::Reminder, Channel::Sms, Language::Fr, &facts()));
        prop_assert!(!sent.is_empty());
        if let Ok(Content::Sms { text, .. }) = checked {
            prop_assert_eq!(text, sent);
        }
    }
}
