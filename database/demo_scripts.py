"""What people say in the demo's calls: objections, buying signals, summaries and the lines of a conversation."""

from typing import NamedTuple


class Remark(NamedTuple):
    """Something a caller brings up: its name in the analysis, how it was said, the answer, how often that helps."""

    text: str
    quotes: tuple[str, ...]
    answer: str
    ease: float = 1.0


OBJECTIONS = (
    Remark(
        "Too expensive",
        ("That is more than we planned to spend.", "Honestly, the price is too high for us."),
        "I understand. Most teams find it pays for itself within two quarters.",
        0.85,
    ),
    Remark(
        "Happy with current provider",
        ("We already have someone for that and they do fine.", "We are happy with who we use today."),
        "That is good to hear. Many of our customers first kept us as a second option.",
        0.75,
    ),
    Remark(
        "No time right now",
        ("I am about to walk into a meeting.", "This is really not a good moment."),
        "Of course. I will keep it under a minute, or we find a better time.",
        1.2,
    ),
    Remark(
        "Send me an email instead",
        ("Can you just email me something?", "Put it in an email and I will have a look."),
        "Gladly. So that I send the right thing, may I ask one short question?",
        1.3,
    ),
    Remark(
        "Not the decision maker",
        ("That is not something I decide.", "You would have to ask my manager about that."),
        "Thanks for telling me. Who would be the right person, and may I mention you?",
    ),
    Remark(
        "Already under contract",
        ("We are locked in until the end of next year.", "We just signed a two-year contract."),
        "Understood. We can honour the notice period and line things up for the day it ends.",
        0.6,
    ),
    Remark(
        "Had a bad experience before",
        ("We tried something like this and it was a mess.", "Last time nobody called us back for weeks."),
        "I am sorry about that. You would have one named person on our side from the start.",
        0.8,
    ),
    Remark(
        "Not sure it works for our size",
        ("We are only a handful of people.", "I doubt this is made for a company our size."),
        "About half of our customers are smaller than twenty people.",
        1.25,
    ),
    Remark(
        "Need to talk to my partner",
        ("I would have to discuss this with my partner first.", "My business partner has to agree to that."),
        "That makes sense. What would help the two of you to decide?",
        1.1,
    ),
    Remark(
        "Worried about switching",
        ("Moving everything over sounds like a lot of work.", "I am worried about downtime when we switch."),
        "Our team does the move for you, and nothing is turned off before you say so.",
        1.15,
    ),
    Remark(
        "Don't trust automated calls",
        ("Am I talking to a computer?", "I do not really like talking to a machine."),
        "I am an AI assistant, yes. I can connect you with a colleague at any time.",
        1.3,
    ),
    Remark(
        "No budget until next quarter",
        ("Our budget is gone for this quarter.", "We cannot spend anything before next quarter."),
        "Then let us plan for next quarter, so that the decision is easy by then.",
        0.65,
    ),
)

SIGNALS = (
    Remark(
        "Asked about pricing",
        ("So what would it cost us per month?", "How is the pricing structured?"),
        "It depends on the size of the team. I will go through it with you.",
    ),
    Remark(
        "Asked for a demo",
        ("Could somebody show us how it works?", "I would like to see it in action."),
        "Yes, a specialist can show you in twenty minutes.",
    ),
    Remark(
        "Asked about timeline",
        ("How fast could we be up and running?", "When could you start?"),
        "Usually within two weeks of the first meeting.",
    ),
    Remark(
        "Mentioned current pain",
        ("What we have now breaks every other week.", "We spend far too many hours on this by hand."),
        "That is exactly what people tell us before they change.",
    ),
    Remark(
        "Asked about integrations",
        ("Does it work with the tools we have?", "Would it connect to our CRM?"),
        "It does, and the connection is part of the set-up.",
    ),
    Remark(
        "Asked for references",
        ("Who else around here uses this?", "Do you have a customer I could talk to?"),
        "Several nearby. I can send you two names.",
    ),
    Remark(
        "Shared budget",
        ("We have put some money aside for this.", "We could spend a few thousand on it."),
        "Thank you, that helps to propose the right package.",
    ),
    Remark(
        "Named a decision maker",
        ("Our director Carol signs off on these.", "Talk to Martin, he decides that."),
        "Thank you, I will make a note of that.",
    ),
    Remark(
        "Compared with a competitor",
        ("How are you different from the others?", "We looked at another offer last month."),
        "The main difference is that you can leave at any month's end.",
    ),
    Remark(
        "Asked about next steps",
        ("What would happen next?", "So how do we go on from here?"),
        "The next step is a short meeting with a specialist.",
    ),
)

OPENINGS = {
    False: (
        ("Hi {name}, this is Ava, the AI assistant of {company}. Did I catch you at a good time?", "Yes, go ahead."),
        ("Good day, am I speaking with {name}? This is Ava from {company}.", "Speaking. What is it about?"),
        ("Hello {name}, Ava here, calling for {company} about {offer}.", "Okay, I have a minute."),
    ),
    True: (
        ("Thank you for calling {company}, this is Ava. How can I help?", "Hi, I have a problem and need some help."),
        ("{company}, you are speaking with Ava. What can I do for you?", "Hello, I have a question about my account."),
    ),
}
PITCHES = (
    ("We help people like you with {offer}. May I ask how you handle it today?", "Sure. It is mostly done by hand."),
    ("I am calling because of your interest in {offer}.", "Right, I remember looking at that."),
)
QUESTIONS = {
    False: (
        ("How many people work with you?", "Around twenty, give or take."),
        ("How long have you done it this way?", "Three years or so."),
        ("What would you change first if you could?", "The time it takes, I suppose."),
        ("Who else is involved when you choose something new?", "Two of us, mainly."),
        ("How do you find out today when something goes wrong?", "Usually when a customer calls."),
        ("Is this something you wanted to look at this year?", "It has been on the list for a while."),
        ("What matters most to you there?", "That it is reliable and somebody answers."),
        ("How often does that happen?", "A couple of times a month."),
        ("Have you looked at other ways of doing it?", "We talked about it, but never got far."),
        ("Would it help to see what others in your area did?", "That could be interesting, yes."),
        ("And does everybody use the same system?", "No, each office has its own."),
        ("Is there a season when it gets busy?", "Spring is the worst for us."),
    ),
    True: (
        ("Could you tell me what you see on your side?", "It shows an error and then nothing happens."),
        ("When did it begin?", "Yesterday afternoon."),
        ("May I have the number on your last invoice?", "Let me see. It ends in four two one."),
        ("Did you try it a second time?", "Twice, with the same result."),
        ("I have found your account. Is the address still right?", "Yes, that is right."),
        ("Which version do you see at the bottom of the screen?", "It says four point two."),
        ("I am resetting that for you now. Could you try again?", "One moment, I will try."),
        ("Did anybody from our team contact you about it?", "Not so far."),
        ("Is it the same on another device?", "Let me check. Yes, the same."),
        ("Is the number you are calling from the best one to reach you?", "It is, yes."),
        ("Is there anything else on that invoice?", "No, only that one line."),
        ("Thank you for waiting. I have the details here.", "No problem."),
    ),
}
CLOSINGS = {
    "appointment_booked": (
        (
            ("A specialist has time on Thursday at ten. Would that suit you?", "Thursday at ten works for me."),
            ("Wonderful, I am sending the invitation for Thursday at ten now.", "Great, talk to you then."),
        ),
        (
            ("Shall I book a meeting for Tuesday at two in the afternoon?", "Yes, Tuesday at two is fine."),
            ("You are booked for Tuesday at two.", "Perfect, thank you."),
        ),
        (
            (
                "Could our specialist show you on Monday morning, say at nine?",
                "Monday at nine sounds good, let's do it.",
            ),
            ("Done, Monday at nine is in the calendar.", "Sounds good. See you then."),
        ),
    ),
    "conversation": (
        (("Thank you for your time. I will send you a summary.", "Thanks, I will read it."),),
        (("I will send you the details we talked about.", "Okay, I will think about it."),),
        (("Would you like to have another look at it first?", "Yes, let me think it over."),),
    ),
    "callback_requested": (
        (("When may we call you again?", "Try me next Tuesday after lunch."), ("Tuesday after lunch it is.", "Okay.")),
        (("Shall I call back another time?", "Yes, call me back tomorrow morning."), ("I will do that.", "Good.")),
        (("Is there a better moment?", "Can you call me again on Friday?"), ("Of course, on Friday.", "All right.")),
    ),
    "not_interested": (
        (("Is there anything that would make it worth another look?", "No, we are not interested."),),
        (("May I send you something to read?", "No thank you, I am not interested."),),
        (("Would it make sense to talk again later this year?", "No, this is not something for us, I'll pass."),),
    ),
    "dnc_requested": (
        (
            ("I only have one short question.", "Please take me off your list and do not call again."),
            ("I am sorry for the trouble. Your number is removed as of now.", "Thank you."),
        ),
        (
            (
                "May I tell you in one sentence why I call?",
                "No. Stop calling this number and remove me from your list.",
            ),
            ("I understand and have removed your number.", "Good."),
        ),
    ),
    "gatekeeper_blocked": (
        (
            (
                "May I speak with the person responsible for {offer}?",
                "They are not available for sales calls. I cannot put you through.",
            ),
            ("Is there a better time, or an address to write to?", "No, please use the form on our website."),
        ),
        (
            ("Could you connect me with {name}?", "I'm not able to transfer sales calls, sorry."),
            ("Whom could I write to instead?", "There is a contact form on the website."),
        ),
    ),
    "wrong_number": (
        (
            (
                "I am trying to reach {name}. Is that you?",
                "You have the wrong number, there is nobody of that name here.",
            ),
            ("I am sorry, then I have the wrong number.", "No problem."),
        ),
        (
            ("Is this {name}?", "No, wrong number. I don't know any {name}."),
            ("I apologise for the mistake.", "That's all right."),
        ),
    ),
    "resolved": (
        (
            ("That should be solved now. Can you confirm?", "Yes, it works now."),
            ("Is there anything else I can do?", "No, that was all."),
        ),
        (
            ("I have fixed it on our side. Could you check whether it works?", "Yes, the problem is solved."),
            ("I am glad to hear that.", "That was quick."),
        ),
    ),
    "escalated": (
        (
            ("I am transferring you to a colleague who can look deeper.", "All right, I hope it is quick."),
            ("You will hear from us within the hour.", "Okay, I will wait for the call."),
        ),
        (
            ("I will escalate this to our technical team.", "It is still not working, so please do."),
            ("One of our engineers will contact you today.", "Fine, I will wait."),
        ),
    ),
}
MAILBOXES = (
    "You have reached the voicemail of {name}. Please leave a message after the tone.",
    "Hi, this is {name}. I can't come to the phone right now. Leave a message and I will call you back. Beep.",
    "The person you are calling is not available. Please record your message after the beep.",
)
MESSAGES = (
    "Hello {name}, this is Ava from {company}. I am calling about {offer} and will try again. Have a good day.",
    "Hi {name}, Ava from {company} here. It is about {offer}. I will call again tomorrow. Goodbye.",
)
FAREWELLS = (("Thank you for your time. Goodbye.", "Bye."), ("Have a good day.", "You too."))
# After an answer that helped, and after one that did not.
ACCEPTED = ("Okay, that makes sense.", "Fair enough, that is good to know.", "All right, that helps.")
UNMOVED = {
    False: ("Hm, I don't think that changes anything. {quote}", "I hear you, but still. {quote}"),
    True: ("You are not listening. {quote}",),
}
# How it shows that somebody is pleased, or is not.
MOODS = {
    "positive": (
        "That sounds great, thank you so much.",
        "Wonderful, you have been very helpful.",
        "I really appreciate that, this is excellent.",
        "Perfect, that is great news, I love it.",
    ),
    "negative": (
        "This is really annoying, you are wasting my time.",
        "Honestly, this is ridiculous, how rude of you.",
        "I am very unhappy about this, it is really bad.",
        "That is unacceptable, I want to complain about this call.",
    ),
}
FIRST_NAMES = (
    "Maria", "James", "Linda", "Robert", "Aisha", "David", "Susan", "Carlos", "Karen", "Daniel", "Mei", "Thomas",
    "Patricia", "Omar", "Julia", "Kevin", "Priya", "Steven", "Laura", "George",
)  # fmt: skip
