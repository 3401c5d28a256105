"""policy × evidence × waivers → verdict. The only room that decides."""
